//! How many trips a request takes, by the server's own count.

use std::cell::RefCell;

use abide_harness::{Browser, Node, Redis};
use http::StatusCode;

/// Somebody who is signed in at a node whose every script the server knows.
async fn signed_in(redis: &Redis) -> (Node, Browser) {
    // Slides are due seldom, and would be trips of no request in particular.
    let node = Node::start(&[("ABIDE_STORE", &redis.url())]).await;
    let mut browser = Browser::new(node.address);
    for _ in 0..2 {
        browser.log_in("ada").await;
        browser.put("/values/a", "1").await;
        assert_eq!(browser.post("/values/n/increment", "").await.status, StatusCode::OK);
        if browser.get("/sessions").await.json().as_array().unwrap().len() == 1 {
            let mut other = browser.tab();
            other.post("/logout", "").await;
        }
    }
    browser.log_in("ada").await;
    (node, browser)
}

#[tokio::test]
async fn untouched_takes_no_trip_a_read_one_a_read_and_a_write_two_and_a_logout_two() {
    let redis = Redis::single().await;
    let (node, browser) = signed_in(&redis).await;
    let get = async |path: &str| assert_eq!(browser.tab().get(path).await.status, StatusCode::OK);
    assert_eq!(redis.trips(async || get("/untouched").await).await, 0, "untouched");
    assert_eq!(redis.trips(async || get("/me").await).await, 1, "a read");
    let increment = async || {
        assert_eq!(browser.tab().post("/values/n/increment", "").await.status, StatusCode::OK);
    };
    assert_eq!(redis.trips(increment).await, 2, "a read and a write");
    let mut others = Vec::new();
    for n in 0..10 {
        let mut other = Browser::new(node.address);
        other.log_in(&format!("user {n}")).await;
        others.push(other);
    }
    let others = RefCell::new(others);
    let logout = async || {
        let mut other = others.borrow_mut().pop().unwrap();
        assert_eq!(other.post("/logout", "").await.status, StatusCode::NO_CONTENT);
    };
    assert!(redis.trips(logout).await <= 2, "a logout");
}
