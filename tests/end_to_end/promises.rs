//! What holds on every strategy, whichever servers the requests of a session go to.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use abide_harness::Browser;
use http::StatusCode;
use tokio::task::JoinSet;

/// The same person at the server whose turn it is.
pub(crate) fn turn(browser: &Browser, servers: &[SocketAddr], n: usize) -> Browser {
    browser.at(servers[n % servers.len()])
}

pub(crate) async fn signed_in(server: SocketAddr) -> Browser {
    let mut browser = Browser::new(server);
    browser.log_in("ada").await;
    browser
}

/// 32 clients increment ten times each.
pub(crate) async fn of_320_increments_every_one_counts(servers: &[SocketAddr]) {
    let browser = signed_in(servers[0]).await;
    let mut clients = JoinSet::new();
    for n in 0..32 {
        let mut tab = turn(&browser, servers, n);
        clients.spawn(async move {
            for _ in 0..10 {
                let answer = tab.post("/values/n/increment", "").await;
                assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            }
        });
    }
    clients.join_all().await;
    for n in 0..servers.len() {
        assert_eq!(turn(&browser, servers, n).get("/values/n").await.json(), 320);
    }
}

/// 32 clients write a key each.
pub(crate) async fn of_32_keys_every_one_is_kept(servers: &[SocketAddr]) {
    let browser = signed_in(servers[0]).await;
    let mut clients = JoinSet::new();
    for n in 0..32 {
        let mut tab = turn(&browser, servers, n);
        clients.spawn(async move {
            let answer = tab.put(&format!("/values/k{n}"), n.to_string()).await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
        });
    }
    clients.join_all().await;
    for server in 0..servers.len() {
        let values = turn(&browser, servers, server).get("/values").await.json();
        for n in 0..32 {
            assert_eq!(values[format!("k{n}")], n, "{values}");
        }
    }
}

/// What one server wrote is read at the next one, three hundred times.
pub(crate) async fn of_300_hops_none_reads_what_is_old(servers: &[SocketAddr]) {
    let browser = signed_in(servers[0]).await;
    for hop in 0..300 {
        let mut here = turn(&browser, servers, hop);
        assert_eq!(here.put("/values/hop", hop.to_string()).await.status, StatusCode::NO_CONTENT);
        let mut next = turn(&browser, servers, hop + 1);
        assert_eq!(next.get("/values/hop").await.json(), hop);
    }
}

/// The end of others, a login and a logout.
pub(crate) async fn what_happens_to_a_session_counts_everywhere_at_once(servers: &[SocketAddr]) {
    let (browser, other) = (signed_in(servers[0]).await, signed_in(servers[0]).await);
    let turn = |browser: &Browser, n| turn(browser, servers, n);
    let mut here = turn(&browser, 1);
    assert_eq!(here.get("/sessions").await.json().as_array().unwrap().len(), 2);
    assert_eq!(here.post("/sessions/end-others", "").await.json()["ended"], 1);
    for n in 0..servers.len() {
        assert_eq!(turn(&other, n).get("/me").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(turn(&browser, n).get("/me").await.status, StatusCode::OK);
    }
    let before = here.tab();
    here.log_in("bob").await;
    for n in 0..servers.len() {
        assert_eq!(turn(&before, n).get("/me").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(turn(&here, n).get("/me").await.json()["user"], "bob");
    }
    let late = here.tab();
    assert_eq!(here.post("/logout", "").await.status, StatusCode::NO_CONTENT);
    for n in 0..servers.len() {
        assert_eq!(turn(&late, n).get("/me").await.status, StatusCode::UNAUTHORIZED);
    }
}

/// How long the slow request waits between its read and its write.
const SLOW: Duration = Duration::from_millis(80);

/// Plays the race until twenty logouts surely came between a slow request's read and its write: the slow request at the
/// first server, the logout at the second, and the third asked what is left.
pub(crate) async fn twenty_logouts_win(servers: [SocketAddr; 3]) {
    let mut proven = 0;
    for _ in 0..100 {
        proven += usize::from(slow_request_against_logout(servers).await);
        if proven == 20 {
            return;
        }
    }
    panic!("only {proven} of 100 logouts surely came between the slow request's read and its write");
}

/// Plays one race. Answers whether the logout surely came after the slow request's read: on a busy machine that request
/// may come late, find no session any more, and rightly begin a new one.
async fn slow_request_against_logout([one, two, three]: [SocketAddr; 3]) -> bool {
    let mut browser = signed_in(two).await;
    let (mut slow, mut late) = (browser.at(one), browser.at(three));
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
