//! A session behind a wrapper, and what is behind that.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use abide::core::{
    Changes, CommitOptions, CreateOptions, EndOptions, EndOutcome, EndReason, Error, LoadOptions, Loaded,
    ManualClock, NewRecord, Record, SessionKey, SessionStore, Stamps, Timestamp, Token,
};
use abide_harness::Faults;
use abide_memory::MemoryStore;
use tokio::time::sleep;

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

pub(crate) type Network = Arc<Faults<MemoryStore>>;

pub(crate) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(START))
}

pub(crate) fn memory_on(clock: &Arc<ManualClock>) -> MemoryStore {
    MemoryStore::builder().clock(clock.clone()).build()
}

pub(crate) fn network_on(clock: &Arc<ManualClock>) -> Network {
    Arc::new(Faults::new(memory_on(clock)))
}

/// Lets every task run until it waits for something that does not come. Time must be paused.
pub(crate) async fn settle() {
    sleep(Duration::from_millis(1)).await;
}

/// The token of the `n`th session.
pub(crate) fn token(n: u8) -> Token {
    Token::from_bytes([n; 32])
}

/// What a record of the `n`th session starts with.
pub(crate) fn new_record(n: u8) -> NewRecord {
    NewRecord::new(Stamps::new(7).next(START), [n; 16], token(n).verifier(), START)
}

/// What a request does to a session, in short.
pub(crate) trait Requests: SessionStore {
    async fn open(&self, n: u8, new: NewRecord) -> Result<Loaded, Error> {
        self.create(token(n).key(), Record::create(new), &CreateOptions::default()).await
    }

    async fn look(&self, n: u8) -> Result<Option<Loaded>, Error> {
        self.load(token(n).key(), &LoadOptions::default()).await
    }

    async fn held(&self, n: u8) -> Loaded {
        self.look(n).await.unwrap().expect("a live session")
    }

    async fn merge(&self, n: u8, changes: &Changes) -> Result<Loaded, Error> {
        self.merge_with(n, changes, CommitOptions::default()).await
    }

    async fn merge_with(&self, n: u8, changes: &Changes, options: CommitOptions) -> Result<Loaded, Error> {
        self.commit(token(n).key(), Default::default(), changes, &options).await
    }

    async fn log_out(&self, n: u8) -> Result<EndOutcome, Error> {
        self.end(token(n).key(), EndReason::LoggedOut, &EndOptions::default()).await
    }
}

impl<S: SessionStore + ?Sized> Requests for S {}

pub(crate) fn key(n: u8) -> SessionKey {
    *token(n).key()
}

/// Each operation has a writer of its own, so that no two are one.
static WRITER: AtomicU64 = AtomicU64::new(8);

/// No change yet to a record, by an operation after all that it holds.
pub(crate) fn changes(record: &Record) -> Changes {
    let stamps = Stamps::new(WRITER.fetch_add(1, Ordering::Relaxed));
    let operation = stamps.next_after(START, record.latest_stamp());
    Changes::new(operation, record.era().expect("a live record").id())
}

pub(crate) fn setting(record: &Record, name: &str, value: &[u8]) -> Changes {
    let mut changes = changes(record);
    changes.set(name, value);
    changes
}

/// That a value is replaced, on the condition that it still is that of `record`.
pub(crate) fn updating(record: &Record, name: &str, value: &[u8]) -> Changes {
    let seen = record.era().unwrap().entry(name).map(|entry| entry.stamp());
    let mut changes = changes(record);
    changes.update(name, seen, Some(value.into()));
    changes
}
