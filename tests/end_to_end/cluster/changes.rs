//! Nodes that come and go in order, under load.

use std::time::Duration;

use abide_harness::{Cluster, Crowd, Rotation, Visitors, seed};
use http::StatusCode;
use tokio::time::sleep;

use crate::promises;

const A_WHILE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_fourth_node_joins_under_load_and_is_ready_only_when_it_has_all_and_a_node_leaves_without_a_failed_request()
 {
    let mut cluster = Cluster::together(3).await;
    let fourth = cluster.add_seat();
    let seats: Vec<_> = (0..=fourth).map(|seat| cluster.address(seat)).collect();
    let visitors = Visitors::start(Rotation::ready(&seats).await, Crowd::default(), seed());
    sleep(A_WHILE).await;
    let browser = promises::signed_in(cluster.address(0)).await;

    cluster.start(fourth).await;
    // Until it is ready it refuses, and from then on it knows everybody: nothing in between.
    let mut here = browser.at(cluster.address(fourth));
    loop {
        let reason = cluster.why_not_ready(fourth).await;
        let status = here.tab().get("/me").await.status;
        if reason.is_none() {
            assert_eq!(status, StatusCode::OK, "a node that is ready knows everybody");
            break;
        }
        assert!(
            status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::OK,
            "{status} while {reason:?}"
        );
    }
    assert_eq!(here.put("/values/a", "1").await.status, StatusCode::NO_CONTENT);
    sleep(A_WHILE).await;

    let exit = cluster.terminate(0).await;
    assert!(exit.status.success(), "{exit:?}");
    sleep(A_WHILE).await;
    let (requests, findings) = visitors.end(&cluster.addresses()).await;
    assert!(findings.is_none(), "{findings}");
    let (failed, all) = (requests.failed(), requests.count());
    println!("of {all} requests failed: {}", failed.by_status());
    // None, but where a busy machine needs longer than a second for an operation.
    assert!(failed.count() * 100 <= all, "of {all} requests: {}", failed.by_status());
    assert!(requests.at(&[cluster.address(fourth)]).good().count() > 0, "the fourth serves");
}
