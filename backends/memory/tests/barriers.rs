//! What began before all sessions were ended does not outlive that.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod stage;

use std::time::Duration;

use abide_core::{CreateOptions, EndReason, ErrorKind, NewRecord, Record, SessionStore};
use stage::{START, Stage, key, token};

#[tokio::test]
async fn a_visitors_session_whose_request_began_before_the_end_of_all_is_refused() {
    let stage = Stage::new(|store| store);
    stage.clock.advance(Duration::from_secs(1));
    stage.store.end_all(EndReason::EndedByAdministrator).await.unwrap();
    let create = async |n: u32, began| {
        let new = NewRecord::new(stage.stamps.next(began), [1; 16], token(n).verifier(), began);
        let options = CreateOptions::default().began(began);
        let answer = stage.store.create(&key(n), Record::create(new), &options).await;
        answer.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(create(1, START).await, Err(ErrorKind::Superseded));
    assert_eq!(create(2, START + Duration::from_secs(1)).await, Ok(()));
}
