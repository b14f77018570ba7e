//! The whole suite, on a single server, a Sentinel set and a Cluster.

use std::sync::Arc;

use abide_conformance::Report;
use abide_harness::{Redis, RedisCluster, SentinelSet};

use crate::stage::{Hangs, Place, parallel};

/// What the store cannot be asked: it has no bound of its own.
const FULL: [&str; 2] = [
    "a_full_store_refuses_and_keeps_what_it_has",
    "a_commit_that_a_full_store_has_no_room_for_is_refused_and_changes_nothing",
];
/// What is asked on a single server alone: servers that hang are taken for dead where others can take their place.
const OUTAGES: [&str; 4] = [
    "a_store_out_of_reach_says_so_and_answers_nothing_else",
    "what_was_unavailable_did_not_happen_and_is_applied_once_when_asked_again",
    "a_store_out_of_reach_is_not_ready",
    "a_drain_that_fails_leaves_the_store_as_it_was",
];

fn conforms(report: &Report, skipped: &[&str]) {
    println!("{report}");
    report.assert();
    for case in report.skipped() {
        assert!(FULL.contains(&case) || skipped.contains(&case), "{case} was skipped\n{report}");
    }
}

async fn without_outages(url: String) {
    let place = Place::new(url);
    let report = abide_conformance::run(|| async { parallel(place.subject().await.0) }).await;
    conforms(&report, &OUTAGES);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_on_a_single_server() {
    let server = Arc::new(Redis::single().await);
    let place = Place::new(server.url());
    let fresh = || async {
        let (subject, stores) = place.subject().await;
        parallel(subject).outage(Arc::new(Hangs { server: server.clone(), stores }))
    };
    conforms(&abide_conformance::run(fresh).await, &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_on_a_sentinel_set() {
    let set = SentinelSet::start().await;
    without_outages(set.url()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_on_a_cluster() {
    let cluster = RedisCluster::start().await;
    without_outages(cluster.url()).await;
}
