//! Fresh seeds at every run: clients on three servers at once, whose histories are checked against a model.
//!
//! `ABIDE_SEED` chooses the first seed, `ABIDE_SEEDS` how many. The clock stands still, for all seeds share a cluster: how
//! deadlines are judged is for the simulator, whose clocks move.

use std::sync::Arc;

use abide_conformance::interleavings::{Abilities, Plan, Tally, check_history, concurrently, store_setup};
use abide_core::SessionStore;
use abide_harness::{seed, seeds};

use crate::stage::{Cluster, spawner};

const USUAL: u64 = 300;

/// What the clients of one seed do.
fn plan(seed: u64) -> Plan {
    let mut plan = Plan::of(seed, Abilities::default().creates_here().answers_later());
    plan.moves.clear();
    plan
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_order_a_session_on_three_servers_is_one_session() {
    let cluster = Cluster::found().await;
    let stores: Vec<Arc<dyn SessionStore>> =
        cluster.stores.iter().map(|store| Arc::new(store.clone()) as Arc<dyn SessionStore>).collect();
    let (base, mut tally) = (seed(), Tally::default());
    for seed in (0..seeds(USUAL)).map(|n| base.wrapping_add(n)) {
        let plan = plan(seed);
        let setup = store_setup(&plan, cluster.clock(), |n| stores[n % stores.len()].clone()).answers_later();
        let history = concurrently(&plan, setup, &spawner()).await;
        let found = check_history(&history);
        tally.add(&found.unwrap_or_else(|why| panic!("ABIDE_SEED={seed} ABIDE_SEEDS=1: {plan}\n{why}")));
    }
    println!("{tally}");
}
