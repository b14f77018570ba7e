//! The whole suite, outages included, on a single server, a Sentinel set and a Cluster, and on a pool that was brought.

use std::sync::Arc;

use abide_conformance::Report;
use abide_harness::Redis;

use crate::stage::{Hangs, Place, Servers, parallel};

/// What the store cannot be asked: it has no bound of its own.
const FULL: [&str; 2] = [
    "a_full_store_refuses_and_keeps_what_it_has",
    "a_commit_that_a_full_store_has_no_room_for_is_refused_and_changes_nothing",
];

fn conforms(report: &Report) {
    println!("{report}");
    report.assert();
    for case in report.skipped() {
        assert!(FULL.contains(&case), "{case} was skipped\n{report}");
    }
}

async fn conform(place: Place, servers: Servers) {
    let fresh = || async {
        let (subject, stores) = place.subject().await;
        parallel(subject).outage(Arc::new(Hangs { servers: servers.clone(), stores }))
    };
    conforms(&abide_conformance::run(fresh).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_on_a_single_server() {
    let server = Redis::single().await;
    conform(Place::new(&server.url()), Servers::Single(Arc::new(server))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_on_a_sentinel_set() {
    let (url, servers) = Servers::set().await;
    conform(Place::new(&url), servers).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_on_a_cluster() {
    let (url, servers) = Servers::cluster().await;
    conform(Place::new(&url), servers).await;
}

#[cfg(feature = "pool")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_on_a_pool_that_was_brought() {
    let server = Redis::single().await;
    let pool = deadpool_redis::Config::from_url(server.url()).builder().unwrap();
    let pool = pool.max_size(16).runtime(deadpool_redis::Runtime::Tokio1).build().unwrap();
    conform(Place::of(abide_redis::Address::pool(pool)), Servers::Single(Arc::new(server))).await;
}
