//! Fresh seeds for each driver at every run: `ABIDE_SEED` chooses the first, `ABIDE_SEEDS` how many.

use std::sync::Arc;

use abide_conformance::Spawner;
use abide_conformance::interleavings::{
    Abilities, Driver, Plan, Tally, check_history, check_seeds, concurrently,
};
use abide_harness::{seed, seeds};
use abide_interleavings::{Layers, memory};

fn check(driver: &dyn Driver) -> Tally {
    let tally = check_seeds(driver, seed(), seeds(1_000)).unwrap_or_else(|violation| panic!("{violation}"));
    println!("{tally}");
    tally
}

#[test]
fn whatever_the_order_the_memory_store_is_that_of_one_session() {
    let tally = check(&memory());
    assert_eq!(tally.seeds(), seeds(1_000));
}

#[test]
fn whatever_the_order_the_layer_is_that_of_one_session() {
    let tally = check(&Layers);
    assert_eq!(tally.seeds(), seeds(1_000));
}

fn replays(driver: &dyn Driver) {
    let base = seed();
    for n in 0..20 {
        let plan = Plan::of(base.wrapping_add(n), driver.abilities());
        let first = driver.carry_out(&plan).to_string();
        assert!(!first.is_empty());
        assert_eq!(first, driver.carry_out(&plan).to_string(), "{plan}");
    }
}

#[test]
fn a_seed_replays_to_the_letter_on_a_store() {
    replays(&memory());
}

#[test]
fn a_seed_replays_to_the_letter_through_the_layer() {
    replays(&Layers);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn on_several_threads_the_memory_store_is_that_of_one_session() {
    let spawner: Spawner =
        Arc::new(|task| Box::pin(async { tokio::spawn(task).await.expect("no client panics") }));
    let (base, stores) = (seed(), memory());
    for n in 0..seeds(300) {
        let plan = Plan::of(base.wrapping_add(n), Abilities::default().creates_here());
        let history = concurrently(&plan, stores.setup(&plan), &spawner).await;
        check_history(&history).unwrap_or_else(|why| panic!("seed {}: {plan}\n{why}", base.wrapping_add(n)));
    }
}
