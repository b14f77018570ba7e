//! A node that ends under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use abide_harness::{JarBrowser, Kind, Redis};
use http::Method;

use crate::stage::{Stage, signed_in, user_of};

const USERS: usize = 50;

/// A user who clicks until told to stop. Answers the browser, the last number that was written, and what went wrong.
async fn clicks(mut browser: JarBrowser, stop: Arc<AtomicBool>) -> (JarBrowser, u64, Vec<String>) {
    let (mut n, mut wrong) = (0, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        // Writes that do no harm when a balancer sends them twice.
        for (method, path, body) in
            [(Method::PUT, "/values/n", n.to_string()), (Method::GET, "/values/n", String::new())]
        {
            match browser.try_send(method.clone(), path, body).await {
                Some(answer) if answer.status.is_success() => {
                    if method == Method::GET && answer.json() != n {
                        wrong.push(format!("{n}: {answer:?}"));
                    }
                }
                failed => wrong.push(format!("{n}: {method} {failed:?}")),
            }
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    (browser, n, wrong)
}

async fn nothing_is_lost(kind: Kind) {
    let redis = Redis::single().await;
    let mut stage = Stage::start(kind, &format!("memory:?handover={}", redis.url())).await;
    let (stop, mut users, mut at_first) = (Arc::new(AtomicBool::new(false)), Vec::new(), 0);
    for n in 0..USERS {
        let (browser, node) = signed_in(&stage, &format!("user {n}")).await;
        at_first += usize::from(node == 0);
        users.push(tokio::spawn(clicks(browser, stop.clone())));
    }
    assert!(at_first > 0, "the balancer used all nodes");
    tokio::time::sleep(Duration::from_millis(500)).await;
    let exit = stage.take(0).terminate().await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    stop.store(true, Ordering::Relaxed);
    let mut signed_in = 0;
    for (n, user) in users.into_iter().enumerate() {
        let (mut browser, last, wrong) = user.await.unwrap();
        assert!(wrong.is_empty(), "no request fails and no write is lost: {wrong:?}\n{exit:?}");
        assert!(last > 10);
        signed_in += usize::from(user_of(&mut browser).await == Some(format!("user {n}")));
    }
    assert_eq!(signed_in, USERS, "still signed in");
    assert!(exit.status.success() && exit.stderr.contains(" 0 left behind"), "{exit:?}");
}

#[tokio::test]
async fn behind_haproxy_a_node_with_a_hand_over_ends_under_load_and_nobody_notices() {
    nothing_is_lost(Kind::Haproxy).await;
}

#[tokio::test]
async fn behind_nginx_a_node_with_a_hand_over_ends_under_load_and_nobody_notices() {
    nothing_is_lost(Kind::Nginx).await;
}

#[tokio::test]
async fn behind_apache_a_node_with_a_hand_over_ends_under_load_and_nobody_notices() {
    nothing_is_lost(Kind::Apache).await;
}

async fn the_snapshot_brings_them_back(kind: Kind) {
    let store = "memory:?snapshot={folder}/sessions-{n}";
    let mut stage = Stage::start(kind, store).await;
    let mut users = Vec::new();
    for n in 0..12 {
        users.push(signed_in(&stage, &format!("user {n}")).await);
    }
    let of_the_first = users.iter().filter(|(_, node)| *node == 0).count();
    assert!(of_the_first > 0);
    let exit = stage.take(0).terminate().await;
    let line = format!("{of_the_first} sessions handed over, 0 left behind");
    assert!(exit.status.success() && exit.stderr.contains(&line), "{exit:?}");
    for (browser, node) in &mut users {
        assert_eq!(user_of(browser).await.is_some(), *node != 0, "another node does not know them");
    }
    stage.restart(0, store).await;
    // As long as a balancer takes to see that it is back.
    let waiting = users.iter_mut().find(|(_, node)| *node == 0).map(|(browser, _)| browser).unwrap();
    for _ in 0..1_000 {
        if user_of(waiting).await.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for (n, (browser, _)) in users.iter_mut().enumerate() {
        assert_eq!(user_of(browser).await, Some(format!("user {n}")));
    }
}

#[tokio::test]
async fn behind_haproxy_a_snapshot_brings_the_sessions_back_and_clients_still_go_there() {
    the_snapshot_brings_them_back(Kind::Haproxy).await;
}

#[tokio::test]
async fn behind_nginx_a_snapshot_brings_the_sessions_back_and_clients_still_go_there() {
    the_snapshot_brings_them_back(Kind::Nginx).await;
}

#[tokio::test]
async fn behind_apache_a_snapshot_brings_the_sessions_back_and_clients_still_go_there() {
    the_snapshot_brings_them_back(Kind::Apache).await;
}

#[tokio::test]
async fn without_either_the_log_says_how_many_sessions_stayed_behind() {
    let mut stage = Stage::start(Kind::Haproxy, "memory:").await;
    let mut of_the_first = 0;
    for n in 0..9 {
        of_the_first += usize::from(signed_in(&stage, &format!("user {n}")).await.1 == 0);
    }
    let exit = stage.take(0).terminate().await;
    assert!(exit.stderr.contains(&format!("0 sessions handed over, {of_the_first} left behind")), "{exit:?}");
    let line = exit.stderr.lines().find(|line| line.contains("drained: sessions are left behind"));
    let line = line.unwrap_or_else(|| panic!("{exit:?}"));
    assert!(line.contains("WARN") && line.contains(&format!("left_behind={of_the_first}")), "{line}");
}

#[tokio::test]
async fn a_node_that_answers_404_keeps_its_clients_behind_haproxy_until_it_is_gone() {
    use abide_harness::Node;
    let node = Node::start(&[("ABIDE_DRAINING_STATUS", "404")]).await;
    let mut browser = JarBrowser::new(node.address);
    browser.log_in("ada").await;
    node.begin_to_end().await;
    let mut seen = browser.get("/ready").await;
    while seen.status == 200 {
        tokio::time::sleep(Duration::from_millis(5)).await;
        seen = browser.get("/ready").await;
    }
    assert_eq!((seen.status.as_u16(), &*seen.body), (404, &b"draining\n"[..]));
    assert_eq!(user_of(&mut browser).await.as_deref(), Some("ada"), "old clients are served");
    assert!(node.terminate().await.status.success());
}
