//! What holds of every failover, on a machine of any speed.

use std::time::Duration;

use abide_failovers::{Fault, Scenario, Setup, run};

/// The store's deadline of one second for each step, and what a busy machine may add.
const LONGEST: Duration = Duration::from_secs(4);

async fn keeps_its_promises(setup: Setup, fault: Fault) {
    let outcome = run(Scenario { setup, fault, replicas: 0 }).await;
    println!("{outcome}");
    assert!(outcome.first_write.is_some() && outcome.logouts > 0, "visitors are served again: {outcome}");
    assert_eq!(outcome.undone, 0, "no logout is undone while its process lives: {outcome}");
    let known = |kind: &String| ["Unavailable", "Ambiguous"].contains(&kind.as_str());
    assert!(outcome.errors.keys().all(known), "only Unavailable and Ambiguous: {outcome}");
    assert!(outcome.longest < LONGEST, "no request is past its deadline: {outcome}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_sentinel_master_undoes_no_logout() {
    keeps_its_promises(Setup::Sentinel, Fault::Killed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_orderly_failover_of_a_sentinel_set_undoes_no_logout() {
    keeps_its_promises(Setup::Sentinel, Fault::Orderly).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hung_cluster_master_undoes_no_logout() {
    keeps_its_promises(Setup::Cluster, Fault::Hung).await;
}
