//! The memory store does what every session store must do: as it is, with bounds, and with a snapshot.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "stage/mod.rs"]
mod stage;

use std::sync::Arc;

use abide_conformance::{Report, Subject};
use abide_core::{Clock, ManualClock, Timestamp};
use abide_memory::{MemoryStore, MemoryStoreBuilder};
use stage::Directory;

const SESSIONS: usize = 200;
const BYTES: usize = 4 << 20;

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)))
}

fn builder(clock: &Arc<ManualClock>) -> MemoryStoreBuilder {
    MemoryStore::builder().clock(clock.clone() as Arc<dyn Clock>)
}

/// A fresh store, with a second handle on it.
fn unbounded() -> Subject {
    let clock = clock();
    let store = builder(&clock).build();
    Subject::new(store.clone(), clock).handle(store)
}

fn bounded() -> Subject {
    let clock = clock();
    let store = builder(&clock).max_sessions(SESSIONS).max_bytes(BYTES).build();
    Subject::new(store.clone(), clock).handle(store).bound(SESSIONS).byte_bound(BYTES)
}

async fn with_snapshot(directory: &Directory, name: usize) -> Subject {
    let clock = clock();
    let store = builder(&clock).snapshot(directory.path(&name.to_string())).open().await.unwrap();
    Subject::new(store.clone(), clock).handle(store)
}

/// Participants on threads of their own.
fn parallel(subject: Subject) -> Subject {
    subject.spawner(Arc::new(|task| {
        Box::pin(async { tokio::spawn(task).await.expect("no participant panics") })
    }))
}

/// What the memory store cannot be asked: it is not shared, and has nothing to be cut off from.
fn skipped(report: &Report, more: &[&str]) {
    let cannot = ["a_shared_store_leaves_nothing_behind", "a_drain_that_fails_leaves_the_store_as_it_was"];
    for case in report.skipped() {
        let fine = cannot.contains(&case)
            || more.contains(&case)
            || case.contains("out_of_reach")
            || case.contains("unavailable");
        assert!(fine, "{case} was skipped\n{report}");
    }
}

const FULL: [&str; 2] = [
    "a_full_store_refuses_and_keeps_what_it_has",
    "a_commit_that_a_full_store_has_no_room_for_is_refused_and_changes_nothing",
];

#[tokio::test]
async fn the_memory_store_conforms() {
    let report = abide_conformance::run(|| async { unbounded() }).await;
    println!("{report}");
    report.assert();
    skipped(&report, &FULL);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_store_conforms_on_several_threads() {
    abide_conformance::run(|| async { parallel(unbounded()) }).await.assert();
}

#[tokio::test]
async fn a_bounded_memory_store_conforms_and_says_when_it_is_full() {
    let report = abide_conformance::run(|| async { bounded() }).await;
    report.assert();
    skipped(&report, &[]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_bounded_memory_store_conforms_on_several_threads() {
    abide_conformance::run(|| async { parallel(bounded()) }).await.assert();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_memory_store_with_a_snapshot_conforms() {
    let directory = Directory::new("conformance");
    let count = std::sync::atomic::AtomicUsize::new(0);
    let report = abide_conformance::run(|| async {
        let name = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        parallel(with_snapshot(&directory, name).await)
    });
    let report = report.await;
    report.assert();
    skipped(&report, &FULL);
}
