//! What runs at the same time, on one node with sessions in the process.

use abide_harness::{Browser, Node};
use http::StatusCode;

use crate::promises;

async fn one() -> Node {
    Node::start(&[("ABIDE_STORE", "memory:"), ("ABIDE_NODE", "a")]).await
}

#[tokio::test]
async fn of_320_concurrent_increments_by_32_clients_every_one_counts() {
    let node = one().await;
    promises::of_320_increments_every_one_counts(&[node.address]).await;
}

#[tokio::test]
async fn of_32_parallel_writes_to_different_keys_every_one_is_kept() {
    let node = one().await;
    promises::of_32_keys_every_one_is_kept(&[node.address]).await;
}

#[tokio::test]
async fn a_logout_during_a_slow_request_wins_and_no_cookie_brings_the_session_back() {
    let node = one().await;
    promises::twenty_logouts_win([node.address; 3]).await;
}

#[tokio::test]
async fn sigterm_turns_ready_off_finishes_requests_in_flight_and_ends_with_status_0() {
    let node = one().await;
    let mut browser = promises::signed_in(node.address).await;
    let mut watcher = Browser::new(node.address);
    assert_eq!(watcher.get("/ready").await.status, StatusCode::OK);
    let mut tab = browser.tab();
    let slow = tokio::spawn(async move { tab.post("/slow?ms=300", r#"{"k":1}"#).await });
    browser.get("/me").await;
    let ended = tokio::spawn(node.terminate());
    let mut readiness = StatusCode::OK;
    while readiness == StatusCode::OK {
        readiness = watcher.get("/ready").await.status;
    }
    assert_eq!(readiness, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(slow.await.unwrap().status, StatusCode::OK);
    let exit = ended.await.unwrap();
    assert!(exit.status.success(), "{exit:?}");
    assert!(exit.stderr.contains("1 left behind"), "{exit:?}");
}
