//! The whole suite.

use std::sync::Arc;

use abide_conformance::Report;
use abide_harness::Redis;

use crate::stage::{Hangs, Place, parallel};

/// What the store cannot be asked: it has no bound of its own.
const SKIPPED: [&str; 2] = [
    "a_full_store_refuses_and_keeps_what_it_has",
    "a_commit_that_a_full_store_has_no_room_for_is_refused_and_changes_nothing",
];

fn conforms(report: &Report) {
    println!("{report}");
    report.assert();
    for case in report.skipped() {
        assert!(SKIPPED.contains(&case), "{case} was skipped\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_on_a_single_server() {
    let server = Arc::new(Redis::single().await);
    let place = Place::new(server.url());
    let fresh = || async {
        let (subject, stores) = place.subject().await;
        parallel(subject).outage(Arc::new(Hangs { server: server.clone(), stores }))
    };
    conforms(&abide_conformance::run(fresh).await);
}
