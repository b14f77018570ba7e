//! Sessions that expire leave by time, not only when asked for.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, CommitOptions, CreateOptions, ManualClock, NewRecord, Record, SessionStore, Stamps, Timestamp,
    Token,
};
use abide_memory::MemoryStore;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const MINUTE: Duration = Duration::from_secs(60);
/// A session leaves at most this long after its deadline.
const LAG: Duration = Duration::from_secs(10);

#[tokio::test]
async fn a_session_whose_deadline_came_earlier_leaves_at_the_earlier_one() {
    let clock = Arc::new(ManualClock::at(START));
    let store = MemoryStore::builder().clock(clock.clone()).build();
    let (token, stamps) = (Token::from_bytes([7; 32]), Stamps::new(1));
    let new = NewRecord::new(stamps.next(START), [1; 16], token.verifier(), START).idle_timeout(30 * MINUTE);
    let loaded = store.create(token.key(), Record::create(new), &CreateOptions::default()).await.unwrap();
    let mut changes = Changes::new(stamps.next(START), loaded.record.era().unwrap().id());
    changes.set_idle_timeout(MINUTE);
    store.commit(token.key(), loaded.version, &changes, &CommitOptions::default()).await.unwrap();

    clock.advance(MINUTE + LAG);
    assert_eq!(store.sweep(), 1, "sessions that left");
    assert!(store.is_empty());
}
