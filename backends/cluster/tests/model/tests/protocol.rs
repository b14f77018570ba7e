//! The protocol as it is: nothing is broken in any order of its steps.

use abide_model::{check, small};

#[test]
fn in_every_order_of_steps_whatever_majority_is_asked_knows_what_clients_were_told() {
    for (name, config) in small() {
        let outcome = check(&config);
        println!("{name}: {outcome}");
        assert!(outcome.broken.is_none(), "{name}: {outcome}");
        assert!(outcome.unreached.is_empty(), "{name}: never reached: {:?}", outcome.unreached);
    }
}
