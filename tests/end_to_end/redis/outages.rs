//! Redis hung, dead, and not there yet.

use std::time::{Duration, Instant};

use abide_harness::{Browser, Node, Redis};
use http::StatusCode;
use tokio::time::{sleep, timeout};

use super::Three;

/// What a request may take while Redis does not answer: its deadline of a second, and the way of the request itself on a
/// busy machine.
const ANSWERED_WITHIN: Duration = Duration::from_millis(2_500);
const HEALED_WITHIN: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(20);

/// Asks until the session is served, and answers how long that took.
async fn healed(browser: &Browser) -> Duration {
    let since = Instant::now();
    let served = async {
        while browser.tab().get("/me").await.status != StatusCode::OK {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, served).await.expect("it heals");
    since.elapsed()
}

async fn refused_in_time_and_untouched_unharmed(three: &Three, browser: &Browser) {
    for n in 0..3 {
        let mut tab = three.turn(browser, n);
        for path in ["/me", "/values"] {
            let since = Instant::now();
            let answer = tab.get(path).await;
            assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
            assert_eq!(answer.headers["retry-after"], "1");
            assert!(since.elapsed() < ANSWERED_WITHIN, "a read took {:?}", since.elapsed());
        }
        let since = Instant::now();
        let answer = tab.post("/values/n/increment", "").await;
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
        assert!(since.elapsed() < ANSWERED_WITHIN, "a write took {:?}", since.elapsed());
        assert_eq!(tab.get("/untouched").await.status, StatusCode::OK);
        assert_eq!(tab.get("/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(tab.cookie, browser.cookie, "an outage takes nobody's cookie");
    }
}

#[tokio::test]
async fn while_redis_hangs_requests_are_refused_in_time_and_it_heals_within_a_second() {
    let three = Three::start(&[]).await;
    let browser = three.signed_in().await;
    let mut times = Vec::new();
    // On a busy machine one of them may take longer.
    while times.iter().all(|time| *time > HEALED_WITHIN) && times.len() < 3 {
        three.redis.stop().await;
        refused_in_time_and_untouched_unharmed(&three, &browser).await;
        three.redis.cont().await;
        times.push(healed(&browser).await);
    }
    println!("healed after {times:?}");
    assert!(times.iter().any(|time| *time <= HEALED_WITHIN), "healed after {times:?}");
}

#[tokio::test]
async fn while_redis_is_dead_requests_are_refused_in_time_and_it_heals_within_a_second() {
    let mut three = Three::start(&[]).await;
    let mut times = Vec::new();
    while times.iter().all(|time| *time > HEALED_WITHIN) && times.len() < 3 {
        let browser = three.signed_in().await;
        three.redis.kill9().await;
        refused_in_time_and_untouched_unharmed(&three, &browser).await;
        three.redis.restart().await;
        // It kept nothing, so the session is gone; somebody can sign in again.
        let (since, mut again) = (Instant::now(), Browser::new(three.nodes[1].address));
        while again.post("/login", r#"{"user":"ada"}"#).await.status != StatusCode::OK {
            assert!(since.elapsed() < PATIENCE, "it does not heal");
            sleep(Duration::from_millis(10)).await;
        }
        times.push(since.elapsed());
    }
    println!("healed after {times:?}");
    assert!(times.iter().any(|time| *time <= HEALED_WITHIN), "healed after {times:?}");
}

#[tokio::test]
async fn a_node_starts_without_redis_and_serves_once_it_is_there() {
    let mut redis = Redis::single().await;
    redis.kill9().await;
    let node = Node::start(&[("ABIDE_STORE", &redis.url())]).await;
    let mut browser = Browser::new(node.address);
    assert_eq!(browser.get("/untouched").await.status, StatusCode::OK);
    assert_eq!(browser.get("/ready").await.status, StatusCode::SERVICE_UNAVAILABLE);
    let answer = browser.post("/login", r#"{"user":"ada"}"#).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    redis.restart().await;
    let ready = async {
        while browser.get("/ready").await.status != StatusCode::OK {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, ready).await.expect("it comes up");
    browser.log_in("ada").await;
    assert_eq!(browser.get("/me").await.status, StatusCode::OK);
}
