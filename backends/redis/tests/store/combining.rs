//! Commits of one session inside one process go together.

use std::sync::Arc;

use abide_harness::Redis;
use futures_util::FutureExt as _;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::stage::{Client, PATIENCE};

#[tokio::test]
async fn writes_at_the_same_time_go_together_and_none_is_lost() {
    let server = Redis::single().await;
    let client = Arc::new(Client::on(&server).await);
    let live = client.visit().await;
    client.set(&live, "first", b"1").await.unwrap();
    let before = server.calls().await;
    let mut writes = JoinSet::new();
    for n in 0..64 {
        let (client, live) = (client.clone(), live.clone());
        writes.spawn(async move {
            client.set(&live, &format!("k{n}"), b"1").await.unwrap();
        });
    }
    writes.join_all().await;
    let ran = server.calls().await - &before;
    assert!(ran.of_command("evalsha") <= 8, "64 writes took {ran:?}");
    assert!(client.metric("combined_commits") >= 56, "{}", client.metric("combined_commits"));
    let held = client.load(&live).await.unwrap().unwrap();
    for n in 0..64 {
        assert_eq!(held.record.value(&format!("k{n}")), Some(&b"1"[..]), "k{n}");
    }
}

#[tokio::test]
async fn one_that_is_refused_takes_no_other_with_it() {
    let server = Redis::single().await;
    let client = Arc::new(Client::on(&server).await);
    let live = client.visit().await;
    let mut stale = client.changes(&live.record);
    stale.update("n", Some(live.record.created()), Some(b"1".as_slice().into()));
    let sets: Vec<_> = (0..8).map(|n| client.setting(&live.record, &format!("k{n}"), b"1")).collect();
    let mut writes = JoinSet::new();
    for (n, changes) in sets.into_iter().chain([stale]).enumerate() {
        let (client, live) = (client.clone(), live.clone());
        writes.spawn(async move { (n, client.commit(&live, &changes).await) });
    }
    for (n, answer) in writes.join_all().await {
        match answer {
            Ok(loaded) => assert!(n < 8 && loaded.record.value(&format!("k{n}")).is_some(), "{n}"),
            Err(mut error) => {
                assert_eq!((n, error.kind()), (8, abide_core::ErrorKind::Conflict), "{error}");
                assert!(error.take_current().is_some(), "whoever tries again needs no look");
            }
        }
    }
}

#[tokio::test]
async fn a_write_that_is_too_large_for_the_server_takes_no_other_with_it() {
    let server = Redis::single().await;
    let builder = crate::stage::builder(&server.url()).max_bytes(20_000);
    let client = Arc::new(Client::open(builder, Arc::new(abide_core::SystemClock)).await);
    let live = client.visit().await;
    let mut writes = JoinSet::new();
    for n in 0..16 {
        let (client, live) = (client.clone(), live.clone());
        let value = vec![7; if n == 9 { 30_000 } else { 10 }];
        writes.spawn(async move { (n, client.set(&live, &format!("k{n}"), &value).await) });
    }
    for (n, answer) in writes.join_all().await {
        let refused = answer.err().map(|error| error.kind());
        assert_eq!(refused, (n == 9).then_some(abide_core::ErrorKind::TooLarge), "{n}");
    }
}

#[tokio::test]
async fn a_caller_who_goes_away_or_asks_no_further_holds_nobody_up() {
    let server = Redis::single().await;
    let client = Arc::new(Client::on(&server).await);
    let live = client.visit().await;
    for is_dropped in [true, false] {
        let mine = client.setting(&live.record, "mine", b"1");
        let mut first = Box::pin(client.commit(&live, &mine));
        assert!(first.as_mut().now_or_never().is_none(), "it is under way");
        let first = (!is_dropped).then_some(first);
        let before = client.metric("combined_commits");
        let mut others = JoinSet::new();
        for n in 0..8 {
            let (client, live) = (client.clone(), live.clone());
            others.spawn(async move { client.set(&live, &format!("k{n}"), b"1").await.map(drop) });
        }
        let answers = timeout(PATIENCE, others.join_all()).await.expect("they are answered");
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        if let Some(first) = first {
            assert!(client.metric("combined_commits") >= before + 7, "they went together");
            first.await.unwrap();
        }
    }
    // Whatever became of the turns, the next one goes at once.
    client.set(&live, "last", b"1").await.unwrap();
}
