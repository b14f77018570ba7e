//! What requests of one session at several nodes see of each other.

use abide_harness::Node;
use http::StatusCode;
use tokio::task::JoinSet;

use super::Three;
use crate::races::twenty_logouts_win;

#[tokio::test]
async fn of_320_concurrent_increments_at_three_nodes_every_one_counts() {
    let three = Three::start(&[]).await;
    let browser = three.signed_in().await;
    let mut clients = JoinSet::new();
    for n in 0..32 {
        let mut tab = three.turn(&browser, n);
        clients.spawn(async move {
            for _ in 0..10 {
                let answer = tab.post("/values/n/increment", "").await;
                assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
            }
        });
    }
    clients.join_all().await;
    for n in 0..3 {
        assert_eq!(three.turn(&browser, n).get("/values/n").await.json(), 320);
    }
}

#[tokio::test]
async fn of_300_hops_between_nodes_none_reads_what_is_old() {
    let three = Three::start(&[]).await;
    let browser = three.signed_in().await;
    for hop in 0..300 {
        let mut here = three.turn(&browser, hop);
        assert_eq!(here.put("/values/hop", hop.to_string()).await.status, StatusCode::NO_CONTENT);
        let mut next = three.turn(&browser, hop + 1);
        assert_eq!(next.get("/values/hop").await.json(), hop);
    }
}

#[tokio::test]
async fn of_20_logouts_against_slow_requests_at_another_node_none_is_undone() {
    let three = Three::start(&[]).await;
    let [one, two, third]: &[Node; 3] = &three.nodes;
    twenty_logouts_win([one, two, third]).await;
}

#[tokio::test]
async fn a_logout_a_login_and_the_end_of_others_count_at_every_node_at_once() {
    let three = Three::start(&[]).await;
    let (browser, other) = (three.signed_in().await, three.signed_in().await);
    let mut here = three.turn(&browser, 1);
    assert_eq!(here.get("/sessions").await.json().as_array().unwrap().len(), 2);
    assert_eq!(here.post("/sessions/end-others", "").await.json()["ended"], 1);
    for n in 0..3 {
        assert_eq!(three.turn(&other, n).get("/me").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(three.turn(&browser, n).get("/me").await.status, StatusCode::OK);
    }
    let before = here.tab();
    here.log_in("bob").await;
    for n in 0..3 {
        assert_eq!(three.turn(&before, n).get("/me").await.status, StatusCode::UNAUTHORIZED);
        assert_eq!(three.turn(&here, n).get("/me").await.json()["user"], "bob");
    }
    let late = here.tab();
    assert_eq!(here.post("/logout", "").await.status, StatusCode::NO_CONTENT);
    for n in 0..3 {
        assert_eq!(three.turn(&late, n).get("/me").await.status, StatusCode::UNAUTHORIZED);
    }
}
