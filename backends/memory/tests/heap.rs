//! What a session takes, and what is left of it.
//!
//! `ABIDE_TEST_SESSIONS` is how many sessions come and go: a million, say, in a release build.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, CommitOptions, CreateOptions, EndOptions, EndReason, Error, Loaded, ManualClock, NewRecord,
    Record, SessionKey, SessionStore, Stamps, Timestamp, Token,
};
use abide_memory::{MemoryStore, MemoryStoreBuilder};
use allocation_counter::measure;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const IDLE: Duration = Duration::from_secs(1800);

fn sessions() -> u32 {
    std::env::var("ABIDE_TEST_SESSIONS").map_or(100_000, |text| text.parse().expect("a number of sessions"))
}

/// Spread over the shards as random keys are.
fn token(n: u32) -> Token {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.wrapping_mul(0x9E37_79B9).to_le_bytes());
    Token::from_bytes(bytes)
}

fn key(n: u32) -> SessionKey {
    *token(n).key()
}

struct Stage {
    store: MemoryStore,
    clock: Arc<ManualClock>,
    stamps: Stamps,
    runtime: tokio::runtime::Runtime,
}

impl Stage {
    fn new(bounded: impl FnOnce(MemoryStoreBuilder) -> MemoryStoreBuilder) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let store = bounded(MemoryStore::builder().clock(clock.clone())).build();
        Self { store, clock, stamps: Stamps::new(1), runtime }
    }

    /// Lets it expire a minute after it was used.
    fn shorten(&self, n: u32, loaded: &Loaded) {
        let stamp = self.stamps.next_after(START, loaded.record.latest_stamp());
        let mut changes = Changes::new(stamp, loaded.record.era().unwrap().id());
        changes.set_idle_timeout(Duration::from_secs(60));
        let answer =
            self.store.try_commit(&key(n), loaded.version, &changes, &CommitOptions::default()).unwrap();
        answer.unwrap();
    }

    /// With a user of its own and one value of 512 bytes; every third one with nobody where `visitors`.
    fn record(&self, n: u32, visitors: bool) -> Record {
        let now = abide_core::Clock::now(&*self.clock);
        let new = NewRecord::new(self.stamps.next(now), [1; 16], token(n).verifier(), now).idle_timeout(IDLE);
        let new = new.value("v", vec![7; 512]);
        let user = (!visitors || n % 3 > 0).then(|| format!("user {n:08}"));
        Record::create(match user {
            Some(user) => new.user(user, now),
            None => new,
        })
    }

    fn create(&self, n: u32, visitors: bool) {
        let _ = self.try_create(n, visitors).unwrap();
    }

    fn try_create(&self, n: u32, visitors: bool) -> Result<Loaded, Error> {
        let record = self.record(n, visitors);
        self.runtime.block_on(self.store.create(&key(n), record, &CreateOptions::default()))
    }

    fn end(&self, n: u32) {
        self.runtime.block_on(self.store.end(&key(n), EndReason::LoggedOut, &EndOptions::default())).unwrap();
    }
}

/// Live bytes more than before.
fn grown(work: impl FnOnce()) -> f64 {
    measure(work).bytes_current as f64
}

#[test]
fn what_the_store_adds_to_a_record_is_small() {
    // Just after every table has grown: where they are the emptiest.
    let sessions = 60_000;
    let stage = Stage::new(|store| store);
    let total = grown(|| (0..sessions).for_each(|n| stage.create(n, false))) / f64::from(sessions);
    let mut records = Vec::with_capacity(sessions as usize);
    let record = grown(|| (0..sessions).for_each(|n| records.push(Arc::new(stage.record(n, false)))));
    let record = record / f64::from(sessions);
    println!("{total:.0} bytes a session: {record:.0} of its record, {:.0} of the store", total - record);
    assert!(total - record < 125.0, "{total:.0} - {record:.0}");
}

#[test]
fn sessions_that_expire_leave_nothing() {
    let (stage, sessions) = (Stage::new(|store| store), sessions());
    // Those who stay, and what the first sessions of all allocate for good.
    (0..10).for_each(|n| stage.create(n, false));
    let lasting = grown(|| (10..1_000).for_each(|n| stage.create(n, false)));
    let peak = measure(|| {
        for n in 1_000..1_000 + sessions {
            stage.create(n, true);
            if n % 1_000 == 0 {
                stage.clock.advance(Duration::from_millis(100));
            }
        }
        stage.clock.advance(IDLE + Duration::from_secs(20));
        stage.store.sweep();
    });
    println!("at most {} bytes, {} left", peak.bytes_max, peak.bytes_current);
    assert!(stage.store.is_empty());
    assert!((peak.bytes_max as f64) > f64::from(sessions) * 300.0);
    // Also those who were there before are gone: the heap is where it began before them.
    let left = lasting + peak.bytes_current as f64;
    assert!(left.abs() < 0.1 * lasting, "{left} bytes are left of {lasting}");
}

#[test]
fn short_lived_sessions_leave_little_and_after_ten_minutes_nothing() {
    let (stage, sessions) = (Stage::new(|store| store), sessions() / 4);
    (0..10).for_each(|n| stage.create(n, false));
    let lasting = grown(|| (10..1_000).for_each(|n| stage.create(n, false)));
    let marks = grown(|| {
        for n in 1_000..1_000 + sessions {
            let loaded = stage.try_create(n, true).unwrap();
            stage.shorten(n, &loaded);
        }
        stage.clock.advance(Duration::from_secs(80));
        stage.store.sweep();
    });
    assert_eq!(stage.store.len(), 1_000);
    println!("{:.0} bytes of each that expired early", marks / f64::from(sessions));
    assert!(marks < f64::from(sessions) * 100.0, "{marks}");
    let left = marks
        + grown(|| {
            stage.clock.advance(IDLE);
            stage.store.sweep();
        });
    assert!(stage.store.is_empty());
    assert!((lasting + left).abs() < 0.1 * lasting, "{left} bytes are left beside {lasting}");
}

#[test]
fn sessions_that_end_leave_nothing_once_their_end_is_forgotten() {
    for bounded in [false, true] {
        let stage = Stage::new(|store| if bounded { store.max_sessions(50_000) } else { store });
        (0..1_000).for_each(|n| stage.create(n, true));
        let left = grown(|| {
            for n in 1_000..40_000 {
                stage.create(n, true);
                stage.end(n);
            }
            stage.clock.advance(Duration::from_secs(700));
            stage.store.sweep();
        });
        assert_eq!(stage.store.len(), 1_000);
        assert!(left < 500_000.0, "{left} bytes are left, bounded: {bounded}");
    }
}

#[test]
fn a_flood_of_visitors_takes_no_more_than_the_bound() {
    let stage = Stage::new(|store| store.max_sessions(1_000));
    (0..1_000).for_each(|n| stage.create(n, true));
    let flood = measure(|| {
        for n in 1_000..50_000 {
            stage.clock.advance(Duration::from_millis(1));
            // Of nobody.
            let _ = stage.try_create(n * 3, true);
        }
    });
    assert_eq!(stage.store.len(), 1_000);
    println!("at most {} bytes more", flood.bytes_max);
    assert!(flood.bytes_max < 100_000, "{} bytes at the most", flood.bytes_max);
}
