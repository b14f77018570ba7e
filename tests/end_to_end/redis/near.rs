//! Three nodes with a near-cache each.

use std::time::{Duration, Instant};

use abide_harness::{Answer, Browser};
use http::StatusCode;

use super::Three;

const NEAR: &str = "?near_cache=8MiB";
/// How old a read may be at the most.
const BOUND: Duration = Duration::from_secs(1);

/// Asks until the answer is the current one. Answers how many were stale; none may be older than the bound.
async fn stale_reads(browser: &mut Browser, path: &str, is_current: impl Fn(&Answer) -> bool) -> usize {
    let (since, mut stale) = (Instant::now(), 0);
    loop {
        let asked = since.elapsed();
        if is_current(&browser.get(path).await) {
            return stale;
        }
        stale += 1;
        assert!(asked < BOUND, "{path}: a read was older than the bound");
    }
}

#[tokio::test]
async fn of_300_hops_with_a_near_cache_none_reads_what_is_older_than_the_bound() {
    let three = Three::start_with(NEAR, &[]).await;
    let browser = three.signed_in().await;
    let mut stale = 0;
    for hop in 0..300 {
        let mut here = three.turn(&browser, hop);
        assert_eq!(here.put("/values/hop", hop.to_string()).await.status, StatusCode::NO_CONTENT);
        let mut next = three.turn(&browser, hop + 1);
        let is_current = |answer: &Answer| answer.status == StatusCode::OK && answer.json() == hop;
        stale += stale_reads(&mut next, "/values/hop", is_current).await;
    }
    println!("{stale} reads of 300 hops were stale");
    let mut told = 0;
    for n in 0..3 {
        let page = three.turn(&browser, n).get("/metrics").await;
        let page = String::from_utf8_lossy(&page.body).into_owned();
        let line = page.lines().find_map(|line| line.strip_prefix("abide_store_near_invalidations_total "));
        told += line.unwrap().parse::<u64>().unwrap();
    }
    assert!(told >= 100, "the near-caches were told of {told} changes");
}

#[tokio::test]
async fn with_a_near_cache_every_increment_counts() {
    let three = Three::start_with(NEAR, &[]).await;
    let browser = three.signed_in().await;
    for n in 0..60 {
        let answer = three.turn(&browser, n).post("/values/n/increment", "").await;
        assert_eq!(answer.json()["value"], n + 1, "an increment is decided in the server");
    }
}

#[tokio::test]
async fn with_a_near_cache_a_logout_and_a_login_reach_every_node_within_the_bound() {
    let three = Three::start_with(NEAR, &[]).await;
    for _ in 0..20 {
        let mut browser = three.signed_in().await;
        for n in 0..3 {
            assert_eq!(three.turn(&browser, n).get("/me").await.status, StatusCode::OK);
        }
        let before = browser.tab();
        browser.log_in("bob").await;
        for n in 0..3 {
            // A new secret that the record at hand does not know is looked for in the server.
            assert_eq!(three.turn(&browser, n).get("/me").await.json()["user"], "bob");
            let dead = |answer: &Answer| answer.status == StatusCode::UNAUTHORIZED;
            stale_reads(&mut three.turn(&before, n), "/me", dead).await;
        }
        let late = browser.tab();
        assert_eq!(browser.post("/logout", "").await.status, StatusCode::NO_CONTENT);
        for n in 0..3 {
            let dead = |answer: &Answer| answer.status == StatusCode::UNAUTHORIZED;
            stale_reads(&mut three.turn(&late, n), "/me", dead).await;
        }
    }
}
