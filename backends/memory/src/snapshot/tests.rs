//! What happens where the disk fails: a failed step is one that a test chose.

use std::path::Path;
use std::sync::Arc;

use abide_core::{
    CreateOptions, EndOptions, EndReason, ErrorKind, ManualClock, NewRecord, Record, SessionStore, Stamps,
    Token,
};
use shuttle::future::block_on;

use super::file::{Step, fails};
use super::*;
use crate::MemoryStore;

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// Runs a test under shuttle, for it takes locks, with a directory of its own.
fn alone(name: &str, test: impl Fn(&Path) + Send + Sync + 'static) {
    let directory = std::env::temp_dir().join(format!("abide-disk-{name}-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let path = directory.join("sessions");
    let mut config = shuttle::Config::new();
    config.stack_size = 1 << 20;
    config.silence_warnings = true;
    shuttle::Runner::new(shuttle::scheduler::RandomScheduler::new(1), config).run(move || test(&path));
    std::fs::remove_dir_all(directory).unwrap();
}

fn builder() -> MemoryStoreBuilder {
    MemoryStore::builder().clock(Arc::new(ManualClock::at(NOW)))
}

fn opened(path: &Path) -> Result<Arc<Inner>, String> {
    open_now(builder(), path.into()).map(Arc::new).map_err(|error| error.to_string())
}

fn create(inner: &Arc<Inner>) -> Result<(), ErrorKind> {
    let token = Token::from_bytes([1; 32]);
    let record = Record::create(NewRecord::new(Stamps::new(1).next(NOW), [1; 16], token.verifier(), NOW));
    let store = MemoryStore::of_shared(inner.clone());
    let created = block_on(store.create(token.key(), record, &CreateOptions::default()));
    created.map(|_| ()).map_err(|error| error.kind())
}

fn end(inner: &Arc<Inner>) -> Result<bool, ErrorKind> {
    let store = MemoryStore::of_shared(inner.clone());
    let ended =
        block_on(store.end(Token::from_bytes([1; 32]).key(), EndReason::LoggedOut, &EndOptions::default()));
    ended.map(|ended| ended.was_live).map_err(|error| error.kind())
}

fn drained(inner: &Inner) -> Result<u64, String> {
    let file = inner.snapshot.clone().unwrap();
    let drained = file.once(|| drain_now(inner, &file, None));
    drained.map(|drained| drained.handed_over).map_err(|error| error.to_string())
}

#[test]
fn a_snapshot_that_cannot_be_removed_for_good_is_served_to_nobody() {
    for step in [Step::Remove, Step::SyncDirectory] {
        alone(&format!("removal-{step:?}"), move |path| {
            let first = opened(path).unwrap();
            create(&first).unwrap();
            assert_eq!(drained(&first), Ok(1));
            fails::set(Some(step));
            let error = opened(path).err().unwrap();
            fails::set(None);
            assert!(error.contains("nobody may be served from it"), "{error}");
            if step == Step::Remove {
                assert_eq!(end(&opened(path).unwrap()), Ok(true), "it was left where it is");
            }
        });
    }
}

#[test]
fn a_snapshot_that_is_not_there_thaws_the_store() {
    for step in [Step::Write, Step::Rename] {
        alone(&format!("writing-{step:?}"), move |path| {
            let store = opened(path).unwrap();
            create(&store).unwrap();
            fails::set(Some(step));
            let error = drained(&store).unwrap_err();
            fails::set(None);
            assert!(error.contains("it cannot be written"), "{error}");
            assert_eq!(end(&store), Ok(true), "the store goes on");
            assert_eq!(drained(&store), Ok(0));
        });
    }
}

#[test]
fn a_snapshot_that_may_be_there_leaves_the_store_frozen() {
    alone("frozen", |path| {
        let store = opened(path).unwrap();
        create(&store).unwrap();
        // In place, but neither synced nor removed for good.
        fails::set(Some(Step::SyncDirectory));
        let error = drained(&store).unwrap_err();
        fails::set(None);
        assert!(error.contains("its directory cannot be synced"), "{error}");
        assert_eq!(
            end(&store),
            Err(ErrorKind::Unavailable),
            "nothing ends that the next process may bring back"
        );
    });
}
