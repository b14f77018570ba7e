//! What the protocol costs in small clusters; the command `costs` has the larger ones, and memory.

use std::time::Duration;

use abide_simulation::costs::{Costs, costs, table};

fn unweighed(work: &mut dyn FnMut()) -> i64 {
    work();
    0
}

fn measured(nodes: usize, slots: u16) -> Costs {
    let costs = costs(nodes, 600, slots, unweighed);
    println!("{}", table(&[costs]));
    costs
}

fn keeps_its_targets(costs: &Costs) {
    assert!(costs.idle < 1_000.0, "a node sends {} B/s while nobody wants anything", costs.idle);
    assert!(costs.pause_evicts_nobody, "a pause of 5 s evicts somebody");
    let within = |time: Option<Duration>, most: f64| time.is_some_and(|time| time.as_secs_f64() <= most);
    assert!(within(costs.suspected, 2.5), "suspected after {:?}", costs.suspected);
    assert!(within(costs.evicted, 15.0), "evicted after {:?}", costs.evicted);
    assert!(within(costs.full_view, 10.0), "a full view after {:?}", costs.full_view);
    assert!(within(costs.joined, 5.0), "a joiner is ready after {:?}", costs.joined);
    let trips = [costs.read.trips, costs.write.trips, costs.update.trips].map(f64::round);
    assert_eq!(trips, [1.0, 1.0, 2.0], "round trips of a read, a set and an update");
}

#[test]
fn three_nodes_keep_the_targets_of_time_and_traffic() {
    let costs = measured(3, 1_024);
    keeps_its_targets(&costs);
    // Each node owns everything: it asks two others.
    assert_eq!(
        [costs.read.messages, costs.write.messages, costs.update.messages].map(f64::round),
        [4.0, 4.0, 8.0]
    );
}

#[test]
fn five_nodes_keep_the_targets_of_time_and_traffic() {
    let costs = measured(5, 1_024);
    keeps_its_targets(&costs);
    assert!(costs.read.messages <= 6.0 && costs.update.messages <= 12.0, "{costs:?}");
}

/// Of the sixth view on nodes own slots again that they let go of before.
#[test]
fn six_nodes_with_all_slots_are_in_one_view_as_soon_as_three() {
    keeps_its_targets(&measured(6, 16_384));
}
