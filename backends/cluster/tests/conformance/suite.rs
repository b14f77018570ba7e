//! The whole suite, outages included.

use abide_conformance::Report;
use tokio::sync::mpsc;

use crate::stage::Cluster;

/// What the store cannot be asked: it has no bound of its own.
const FULL: [&str; 2] = [
    "a_full_store_refuses_and_keeps_what_it_has",
    "a_commit_that_a_full_store_has_no_room_for_is_refused_and_changes_nothing",
];
/// How many clusters are being founded while a case runs: that takes longer, and most of it is waiting.
const AHEAD: usize = 6;

fn conforms(report: &Report) {
    println!("{report}");
    report.assert();
    for case in report.skipped() {
        assert!(FULL.contains(&case), "{case} was skipped\n{report}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_store_conforms_on_three_servers() {
    let (founded, clusters) = mpsc::channel(1);
    for _ in 0..AHEAD {
        let founded = founded.clone();
        tokio::spawn(async move { while founded.send(Cluster::found().await).await.is_ok() {} });
    }
    drop(founded);
    let clusters = tokio::sync::Mutex::new(clusters);
    let fresh = || async { clusters.lock().await.recv().await.expect("clusters are founded").subject() };
    conforms(&abide_conformance::run(fresh).await);
}
