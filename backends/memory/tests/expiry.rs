//! Sessions that expire leave by time, not only when asked for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod stage;

use std::time::Duration;

use abide_core::{
    Changes, CommitOptions, CreateOptions, ErrorKind, LoadOptions, NewRecord, Record, SessionStore,
    Timestamp, Token,
};
use stage::{START, Stage, token};

const MINUTE: Duration = Duration::from_secs(60);
/// A session leaves at most this long after its deadline.
const LAG: Duration = Duration::from_secs(10);

impl Stage {
    fn record(&self, token: &Token, created: Timestamp) -> Record {
        let stamp = self.stamps.next(created);
        Record::create(NewRecord::new(stamp, [1; 16], token.verifier(), START).idle_timeout(30 * MINUTE))
    }

    async fn create(&self, token: &Token, record: &Record) -> Result<(), ErrorKind> {
        let answer = self.store.create(token.key(), record.clone(), &CreateOptions::default()).await;
        answer.map(|_| ()).map_err(|error| error.kind())
    }

    /// A session that is idle after a minute, where its creation said half an hour.
    async fn open_and_shorten(&self, token: &Token, record: &Record) {
        self.create(token, record).await.unwrap();
        let loaded = self.store.load(token.key(), &LoadOptions::default()).await.unwrap().unwrap();
        let stamp = self.stamps.next_after(START, loaded.record.latest_stamp());
        let mut changes = Changes::new(stamp, loaded.record.era().unwrap().id());
        changes.set_idle_timeout(MINUTE);
        self.store.commit(token.key(), loaded.version, &changes, &CommitOptions::default()).await.unwrap();
    }
}

#[tokio::test]
async fn a_session_whose_deadline_came_earlier_leaves_at_the_earlier_one() {
    let stage = Stage::new(|store| store);
    stage.open_and_shorten(&token(7), &stage.record(&token(7), START)).await;
    stage.clock.advance(MINUTE + LAG);
    assert_eq!(stage.store.sweep(), 1, "sessions that left");
    assert!(stage.store.is_empty());
}

#[tokio::test]
async fn for_ten_minutes_no_late_creation_revives_a_session_that_expired_and_was_swept() {
    let stage = Stage::new(|store| store);
    // Also where the clock of whoever created it was ahead.
    for (n, created) in [(1, START), (2, START + 60 * MINUTE)] {
        let record = stage.record(&token(n), created);
        stage.open_and_shorten(&token(n), &record).await;
        stage.clock.advance(MINUTE + LAG);
        assert_eq!(stage.store.sweep(), 1);
        assert_eq!(stage.create(&token(n), &record).await, Err(ErrorKind::Ended), "swept");
        stage.clock.advance(7 * MINUTE);
        stage.store.sweep();
        assert_eq!(stage.create(&token(n), &record).await, Err(ErrorKind::Ended), "eight minutes after");
        stage.clock.advance(4 * MINUTE);
        stage.store.sweep();
        assert_eq!(stage.create(&token(n), &record).await, Ok(()), "forgotten");
        stage.clock.set(START);
    }
}

#[tokio::test]
async fn a_bounded_store_remembers_no_more_sessions_that_expired_early_than_it_may_hold() {
    let stage = Stage::new(|store| store.max_sessions(2_000));
    let records: Vec<_> = (0..6_000).map(|n| (token(n), stage.record(&token(n), START))).collect();
    for wave in records.chunks(1_000) {
        for (token, record) in wave {
            stage.open_and_shorten(token, record).await;
        }
        stage.clock.set(START + MINUTE + LAG);
        assert_eq!(stage.store.sweep(), 1_000);
        stage.clock.set(START);
    }
    let mut remembered = 0;
    for (token, record) in &records {
        remembered += usize::from(stage.create(token, record).await == Err(ErrorKind::Ended));
    }
    assert!((1_900..=2_048).contains(&remembered), "{remembered}");
}
