//! What began before all sessions were ended does not outlive that.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    CreateOptions, EndReason, ErrorKind, ManualClock, NewRecord, Record, SessionStore, Stamps, Timestamp,
    Token,
};
use abide_memory::MemoryStore;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

#[tokio::test]
async fn a_visitors_session_whose_request_began_before_the_end_of_all_is_refused() {
    let clock = Arc::new(ManualClock::at(START));
    let store = MemoryStore::builder().clock(clock.clone()).build();
    clock.advance(Duration::from_secs(1));
    store.end_all(EndReason::EndedByAdministrator).await.unwrap();
    let create = async |n: u8, began| {
        let (token, stamps) = (Token::from_bytes([n; 32]), Stamps::new(1));
        let new = NewRecord::new(stamps.next(began), [1; 16], token.verifier(), began);
        let answer =
            store.create(token.key(), Record::create(new), &CreateOptions::default().began(began)).await;
        answer.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(create(1, START).await, Err(ErrorKind::Superseded));
    assert_eq!(create(2, START + Duration::from_secs(1)).await, Ok(()));
}
