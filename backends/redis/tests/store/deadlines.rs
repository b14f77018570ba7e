//! How long an operation takes where nobody answers.

use std::time::Duration;

use abide_core::{
    Clock as _, CreateOptions, EndOptions, EndReason, EndUserOptions, Error, ErrorKind, NewRecord, Record,
    SessionStore as _, Stamps, SystemClock, SystemEntropy, Token,
};
use abide_redis::connect::LinkOptions;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use tokio::net::TcpListener;
use tokio::time::{Instant, advance};

use crate::stage::{IDLE, PATIENCE, builder};

const TIMEOUT: Duration = Duration::from_secs(1);
/// What a timer may be late by.
const TICK: Duration = Duration::from_millis(2);

#[tokio::test(start_paused = true)]
async fn the_time_of_an_operation_counts_from_its_call_also_where_it_is_begun_late() {
    // It takes connections, and says nothing.
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("redis://{}", silent.local_addr().unwrap());
    let patient = LinkOptions::new().patience(PATIENCE);
    let store = builder(&url).timeout(TIMEOUT).link(patient).open().unwrap();
    let (token, now) = (Token::generate(&SystemEntropy).unwrap(), SystemClock.now());
    let new = NewRecord::new(Stamps::new(1).next(now), [1; 16], token.verifier(), now);
    let record = Record::create(new.idle_timeout(IDLE).hard_deadline(now + IDLE));
    let (create, end, user) = (CreateOptions::default(), EndOptions::default(), EndUserOptions::default());
    let calls: [(_, BoxFuture<'_, Result<(), Error>>); 3] = [
        ("create", store.create(token.key(), record, &create).map(|answer| answer.map(drop)).boxed()),
        ("end", store.end(token.key(), EndReason::LoggedOut, &end).map(|answer| answer.map(drop)).boxed()),
        ("end_user", store.end_user("ada", &user).map(|answer| answer.map(drop)).boxed()),
    ];
    for (name, mut call) in calls {
        let begin = Instant::now();
        assert!((&mut call).now_or_never().is_none());
        // As a runtime does that has others to serve first.
        advance(TIMEOUT / 2).await;
        assert_eq!(call.await.unwrap_err().kind(), ErrorKind::Unavailable, "{name}");
        assert!(begin.elapsed() <= TIMEOUT + TICK, "{name} took {:?}", begin.elapsed());
    }
}
