//! The memory store does what every session store must do.

use std::sync::Arc;

use abide_conformance::Subject;
use abide_core::{Clock, ManualClock, Timestamp};
use abide_memory::MemoryStore;

/// A fresh store, with a second handle on it.
fn fresh(clock: &Arc<ManualClock>) -> Subject {
    let store = MemoryStore::builder().clock(clock.clone() as Arc<dyn Clock>).build();
    Subject::new(store.clone(), clock.clone()).handle(store)
}

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)))
}

#[tokio::test]
async fn the_memory_store_conforms() {
    let report = abide_conformance::run(|| async { fresh(&clock()) }).await;
    println!("{report}");
    report.assert();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_memory_store_conforms_on_several_threads() {
    let report = abide_conformance::run(|| async {
        fresh(&clock()).spawner(Arc::new(|task| {
            Box::pin(async { tokio::spawn(task).await.expect("no participant panics") })
        }))
    });
    report.await.assert();
}
