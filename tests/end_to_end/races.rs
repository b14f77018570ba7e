//! What runs at the same time, on one node with sessions in the process.

use std::time::{Duration, Instant};

use abide_harness::{Browser, Node};
use http::StatusCode;
use tokio::task::JoinSet;

async fn signed_in() -> (Node, Browser) {
    let node = Node::start(&[("ABIDE_STORE", "memory:"), ("ABIDE_NODE", "a")]).await;
    let mut browser = Browser::new(node.address);
    browser.log_in("ada").await;
    (node, browser)
}

#[tokio::test]
async fn of_320_concurrent_increments_by_32_clients_every_one_counts() {
    let (_node, mut browser) = signed_in().await;
    let mut clients = JoinSet::new();
    for _ in 0..32 {
        let mut tab = browser.tab();
        clients.spawn(async move {
            for _ in 0..10 {
                let answer = tab.post("/values/n/increment", "").await;
                assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            }
        });
    }
    clients.join_all().await;
    assert_eq!(browser.get("/values/n").await.json(), 320);
}

#[tokio::test]
async fn of_32_parallel_writes_to_different_keys_every_one_is_kept() {
    let (_node, mut browser) = signed_in().await;
    let mut clients = JoinSet::new();
    for n in 0..32 {
        let mut tab = browser.tab();
        clients.spawn(async move {
            let answer = tab.put(&format!("/values/k{n}"), n.to_string()).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        });
    }
    clients.join_all().await;
    let values = browser.get("/values").await.json();
    for n in 0..32 {
        assert_eq!(values[format!("k{n}")], n, "{values}");
    }
}

/// How long the slow request waits between its read and its write.
const SLOW: Duration = Duration::from_millis(80);

#[tokio::test]
async fn a_logout_during_a_slow_request_wins_and_no_cookie_brings_the_session_back() {
    let (node, _) = signed_in().await;
    twenty_logouts_win([&node; 3]).await;
}

/// Plays the race until twenty logouts surely came between a slow request's read and its write: the slow request at the
/// first node, the logout at the second, and the third asked what is left.
pub(crate) async fn twenty_logouts_win(nodes: [&Node; 3]) {
    let mut proven = 0;
    for _ in 0..100 {
        proven += usize::from(slow_request_against_logout(nodes).await);
        if proven == 20 {
            return;
        }
    }
    panic!("only {proven} of 100 logouts surely came between the slow request's read and its write");
}

/// Plays one race. Answers whether the logout surely came after the slow request's read: on a busy machine that request
/// may come late, find no session any more, and rightly begin a new one.
async fn slow_request_against_logout([one, two, three]: [&Node; 3]) -> bool {
    let mut browser = Browser::new(two.address);
    browser.log_in("ada").await;
    let (mut slow, mut late) = (browser.at(one.address), browser.at(three.address));
    let slow = tokio::spawn(async move {
        let answer = slow.post(&format!("/slow?ms={}", SLOW.as_millis()), r#"{"k":1}"#).await;
        (answer, Instant::now(), slow)
    });
    tokio::time::sleep(SLOW / 4).await;
    let logout_sent = Instant::now();
    assert_eq!(browser.post("/logout", "").await.status, StatusCode::NO_CONTENT);
    let (answer, answered, mut slow) = slow.await.unwrap();
    assert_eq!(answer.status, StatusCode::OK, "the writer's response passes");
    if answered - SLOW >= logout_sent {
        return false;
    }
    assert!(answer.set_cookies().is_empty(), "a cookie came back: {answer:?}");
    for tab in [&mut browser, &mut late, &mut slow] {
        assert_eq!(tab.get("/me").await.status, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(late.get("/values/k").await.status, StatusCode::NOT_FOUND);
    true
}

#[tokio::test]
async fn sigterm_turns_ready_off_finishes_requests_in_flight_and_ends_with_status_0() {
    let (node, mut browser) = signed_in().await;
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
