//! Writes of one session at the same time.
//!
//! Where one must come between the look and the write of another, it is sent from inside the other's handler: so each
//! order is the one that the test names, every time. Where any order will do, tasks run at once on two threads.

use std::pin::pin;

use abide::{Config, Error};
use abide_harness::Method;
use http::StatusCode;
use tokio::task::JoinSet;

use crate::stage::{SECOND, Stage, poll_once};

#[tokio::test]
async fn two_sets_of_different_keys_are_both_kept() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    client
        .ask(async |session| {
            session.insert("a", &1)?;
            session.get::<i64>("n").await?;
            tab.insert("b", 2).await.is_ok();
            Ok::<_, Error>(())
        })
        .await
        .is_ok();
    assert_eq!((client.get("a").await, client.get("b").await), (Some(1), Some(2)));
}

#[tokio::test]
async fn of_two_sets_of_one_key_the_later_commit_counts() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    client
        .ask(async |session| {
            session.insert("n", &10)?;
            tab.insert("n", 20).await.is_ok();
            Ok::<_, Error>(())
        })
        .await
        .is_ok();
    assert_eq!(client.get("n").await, Some(10));
}

#[tokio::test]
async fn an_increment_between_the_look_and_the_write_of_another_counts() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    let answer = client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            tab.ask(async |session| session.increment("n", 10).await.map(drop)).await.is_ok();
            session.increment("n", 100).await.map(|n| n.to_string())
        })
        .await;
    assert_eq!(answer.text().await, "111");
}

#[tokio::test]
async fn a_set_between_the_look_and_the_write_of_an_update_comes_first() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            tab.insert("n", 50).await.is_ok();
            session.update("n", |n: Option<i64>| n.unwrap() * 2).await.map(drop)
        })
        .await
        .is_ok();
    assert_eq!(client.get("n").await, Some(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_updates_at_once_every_one_is_applied() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tabs = JoinSet::new();
    for n in 0..64_i64 {
        let mut tab = client.tab();
        tabs.spawn(async move {
            tab.ask(async |session| {
                session.insert(&format!("k{n}"), &n)?;
                session
                    .update("list", move |list: Option<Vec<i64>>| {
                        let mut list = list.unwrap_or_default();
                        list.push(n);
                        list
                    })
                    .await?;
                session.increment("n", 1).await.map(drop)
            })
            .await
            .status
        });
    }
    assert!(tabs.join_all().await.iter().all(StatusCode::is_success));
    assert_eq!(client.get("n").await, Some(65));
    let mut list = Vec::new();
    client
        .ask(async |session| session.get::<Vec<i64>>("list").await.map(|l| list = l.unwrap()))
        .await
        .is_ok();
    list.sort_unstable();
    assert_eq!(list, (0..64).collect::<Vec<_>>());
    for n in 0..64 {
        assert_eq!(client.get(&format!("k{n}")).await, Some(n));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_16_updates_by_clones_within_one_request_every_one_is_applied() {
    let stage = Stage::new().await;
    let mut client = stage.client();
    client
        .ask(async |session| {
            let mut clones = JoinSet::new();
            for _ in 0..16 {
                let clone = session.clone();
                clones.spawn(async move { clone.increment("n", 1).await.unwrap() });
            }
            clones.join_all().await;
        })
        .await
        .is_ok();
    assert_eq!(client.get("n").await, Some(16));
}

#[tokio::test]
async fn a_counter_at_two_servers_in_turn_misses_no_number() {
    let stage = Stage::new().await;
    let servers = [stage.another_server(Config::new()).await, stage.another_server(Config::new()).await];
    let mut client = stage.client();
    for n in 1..=10 {
        client = client.at(&servers[n % 2]);
        let answer = client.ask(async |session| session.increment("n", 1).await.map(|n| n.to_string())).await;
        assert_eq!(answer.text().await, n.to_string());
        assert_eq!(client.get("n").await, Some(n as i64));
    }
}

/// Runs a test on a thread of its own, so that a deadlock fails it and does not hang it.
fn without_deadlock(test: impl AsyncFnOnce() + Send + 'static) {
    let (done, ended) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(test());
        done.send(()).unwrap();
    });
    ended.recv_timeout(10 * SECOND).expect("the test ends, and well");
}

#[test]
fn the_function_of_an_update_may_use_the_session() {
    without_deadlock(async || {
        let stage = Stage::new().await;
        let mut client = stage.visitor().await;
        client
            .ask(async |session| {
                let clone = session.clone();
                let add = move |n: Option<i64>| {
                    clone.insert("within", &7).unwrap();
                    clone.remove("absent");
                    drop(format!("{clone:?}"));
                    n.unwrap_or_default() + 1
                };
                session.update("n", add).await.map(drop)
            })
            .await
            .is_ok();
        assert_eq!((client.get("n").await, client.get("within").await), (Some(2), Some(7)));
    });
}

#[tokio::test]
async fn of_one_requests_operations_one_is_at_the_store_at_a_time() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let gate = stage.store.shut();
    client
        .ask(async |session| {
            let clone = session.clone();
            let mut both =
                pin!(async { tokio::try_join!(session.increment("n", 1), clone.increment("n", 1)) });
            assert!(poll_once(both.as_mut()).await.is_none(), "the commit is held");
            assert_eq!(stage.store.calls(Method::Commit), 1);
            gate.add_permits(2);
            both.await.map(drop)
        })
        .await
        .is_ok();
    assert_eq!((client.get("n").await, stage.store.calls(Method::Commit)), (Some(3), 2));
}
