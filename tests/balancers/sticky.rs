//! A client stays on its node, and on the next one once that is dead.

use abide_harness::{Kind, Redis};

use crate::stage::{Stage, node_of, signed_in};

async fn a_client_stays(kind: Kind) {
    let stage = Stage::start(kind, "memory:").await;
    // Others come and go, so that a balancer that does not pin would send this one round.
    let (mut browser, node) = signed_in(&stage, "ada").await;
    for n in 0..1_000 {
        if n % 10 == 0 {
            signed_in(&stage, "other").await;
        }
        let path = if n % 2 == 0 { "/me" } else { "/untouched" };
        let answer = browser.get(path).await;
        assert_eq!((answer.status.as_u16(), node_of(&answer)), (200, node), "request {n}");
        assert!(answer.set_cookies().is_empty(), "the mark is not sent again: {answer:?}");
    }
}

async fn another_takes_over(kind: Kind) {
    let redis = Redis::single().await;
    let mut stage = Stage::start(kind, &redis.url()).await;
    let (mut browser, node) = signed_in(&stage, "ada").await;
    stage.take(node).kill().await;
    let first = browser.get("/me").await;
    let next = node_of(&first);
    assert_eq!(first.status, 200, "{first:?}");
    assert_ne!(next, node);
    assert_eq!(first.set_cookies().len(), 1, "the mark of the one that took over: {first:?}");
    for n in 0..200 {
        let answer = browser.get("/me").await;
        assert_eq!((answer.status.as_u16(), node_of(&answer)), (200, next), "request {n}");
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    // The one that died is back, and nobody is sent round again.
    stage.restart(node, &redis.url()).await;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    for n in 0..50 {
        let answer = browser.get("/me").await;
        assert_eq!((answer.status.as_u16(), node_of(&answer)), (200, next), "request {n} after its return");
    }
}

#[tokio::test]
async fn a_haproxy_that_writes_the_mark_pins_visitors_and_agrees_with_the_marks_of_the_servers() {
    let stage = Stage::start(Kind::HaproxyMarks, "memory:").await;
    let mut browser = stage.browser();
    let first = browser.get("/untouched").await;
    let (node, mark) = (node_of(&first), browser.cookies["route"].clone());
    assert_eq!(browser.cookies.len(), 1, "no session yet: {first:?}");
    for n in 0..100 {
        signed_in(&stage, "other").await;
        assert_eq!(node_of(&browser.get("/untouched").await), node, "request {n} of a visitor");
    }
    assert_eq!(node_of(&browser.log_in("ada").await), node);
    for n in 0..100 {
        signed_in(&stage, "other").await;
        let answer = browser.get("/me").await;
        assert_eq!((answer.status.as_u16(), node_of(&answer)), (200, node), "request {n} of a user");
        assert!(answer.set_cookies().is_empty(), "one mark, and it stays: {answer:?}");
    }
    assert_eq!(browser.cookies["route"], mark);
}

#[tokio::test]
async fn behind_haproxy_a_client_stays_on_its_node_for_1000_requests() {
    a_client_stays(Kind::Haproxy).await;
}

#[tokio::test]
async fn behind_nginx_a_client_stays_on_its_node_for_1000_requests() {
    a_client_stays(Kind::Nginx).await;
}

#[tokio::test]
async fn behind_apache_a_client_stays_on_its_node_for_1000_requests() {
    a_client_stays(Kind::Apache).await;
}

#[tokio::test]
async fn behind_haproxy_another_node_takes_over_from_a_dead_one_and_is_kept_to() {
    another_takes_over(Kind::Haproxy).await;
}

#[tokio::test]
async fn behind_nginx_another_node_takes_over_from_a_dead_one_and_is_kept_to() {
    another_takes_over(Kind::Nginx).await;
}

#[tokio::test]
async fn behind_apache_another_node_takes_over_from_a_dead_one_and_is_kept_to() {
    another_takes_over(Kind::Apache).await;
}
