//! A service that moves from one strategy to another, by one environment variable for each store, under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use abide_harness::{JarBrowser, Kind, Redis, Seat};
use http::Method;

use crate::stage::{Stage, signed_in, user_of};

const USERS: usize = 20;

/// A user who counts at their own pace. Answers the browser, and how often counting was answered with a success.
async fn counts(mut browser: JarBrowser, stop: Arc<AtomicBool>) -> (JarBrowser, i64) {
    let mut counted = 0;
    while !stop.load(Ordering::Relaxed) {
        let answer = browser.try_send(Method::POST, "/values/n/increment", "").await;
        counted += i64::from(answer.is_some_and(|answer| answer.status.is_success()));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    (browser, counted)
}

/// Moves a service from the store of `old` to that of `new`, whose URL each server has, while users count.
async fn moves(old: Redis, new: [String; 3]) {
    // Every server has both stores before anybody moves: the move is a restart of one server at a time.
    let mut stage = Stage::start(Kind::Haproxy, &old.url()).await;
    let mut users = Vec::new();
    for n in 0..USERS {
        users.push(signed_in(&stage, &format!("user {n}")).await.0);
    }
    let left = users.pop().unwrap();
    let (mut copy, mut leaving) = (left.clone(), left);
    let stop = Arc::new(AtomicBool::new(false));
    // Planned: who is behind a server that is being replaced waits for its end.
    for n in 0..3 {
        stage.take(n).terminate().await;
    }
    let users: Vec<_> =
        users.into_iter().map(|browser| tokio::spawn(counts(browser, stop.clone()))).collect();
    for (n, new) in new.iter().enumerate() {
        stage.restart_with(n, new, &[("ABIDE_STORE_FROM", &old.url())]).await;
    }
    stage.all_ready().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert!(leaving.send(Method::POST, "/logout", "").await.status.is_success());
    tokio::time::sleep(Duration::from_millis(700)).await;
    // And once everything has moved, the old one goes.
    drop(old);
    for (n, new) in new.iter().enumerate() {
        stage.take(n).terminate().await;
        stage.restart(n, new).await;
        stage.ready(n).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    stop.store(true, Ordering::Relaxed);
    for (n, user) in users.into_iter().enumerate() {
        let (mut browser, counted) = user.await.unwrap();
        assert_eq!(user_of(&mut browser).await, Some(format!("user {n}")), "still signed in");
        assert!(counted > 10, "{counted}");
        let held = browser.get("/values/n").await.json().as_i64().unwrap();
        // An answer that got lost with its server may have counted; none that came is lost.
        assert!(held >= counted, "user {n}: {counted} answered, {held} held");
        assert!(held <= counted + 3, "user {n}: {counted} answered, {held} held");
    }
    assert_eq!(user_of(&mut copy).await, None, "a logout during the move stays a logout");
}

#[tokio::test]
async fn a_service_moves_from_one_redis_to_another_live_and_nobody_is_logged_out() {
    let (old, new) = (Redis::single().await, Redis::single().await);
    moves(old, [(); 3].map(|()| new.url())).await;
}

#[tokio::test]
async fn a_service_moves_from_redis_to_a_cluster_live_and_nobody_is_logged_out() {
    let links = [(); 3].map(|()| Seat::free().peers);
    let join = links.map(|link| link.to_string()).join(",");
    moves(Redis::single().await, links.map(|link| format!("cluster://{link}?join={join}"))).await;
}

#[tokio::test]
async fn a_service_moves_from_the_process_to_redis_by_its_snapshot_and_nobody_is_logged_out() {
    let redis = Redis::single().await;
    let before = "memory:?snapshot={folder}/sessions-{n}";
    let mut stage = Stage::start(Kind::Haproxy, before).await;
    let mut users = Vec::new();
    for n in 0..USERS {
        let (mut browser, _) = signed_in(&stage, &format!("user {n}")).await;
        assert!(browser.send(Method::PUT, "/values/n", n.to_string()).await.status.is_success());
        users.push(browser);
    }
    let mut copy = users[0].clone();
    assert!(users[0].send(Method::POST, "/logout", "").await.status.is_success());
    for n in 0..3 {
        let exit = stage.take(n).terminate().await;
        assert!(exit.stderr.contains(" 0 left behind"), "{exit:?}");
        stage.restart_with(n, &redis.url(), &[("ABIDE_STORE_FROM", before)]).await;
    }
    tokio::time::sleep(Duration::from_millis(700)).await;
    for (n, browser) in users.iter_mut().enumerate().skip(1) {
        assert_eq!(user_of(browser).await, Some(format!("user {n}")));
        assert_eq!(browser.get("/values/n").await.json(), n);
    }
    assert_eq!(user_of(&mut copy).await, None, "logged out before, and out after");
    // From now on any server serves them.
    for browser in users.iter_mut().skip(1) {
        browser.cookies.remove("route");
        assert!(user_of(browser).await.is_some());
    }
}
