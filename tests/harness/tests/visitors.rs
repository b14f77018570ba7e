//! The visitors notice what they are there to notice.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use abide_harness::{Crowd, Findings, Node, Requests, Rotation, Visitors, seed};
use tokio::time::sleep;

async fn a_second_at(nodes: &[Node]) -> (Requests, Findings) {
    let servers: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let visitors = Visitors::start(Rotation::ready(&servers).await, Crowd::default(), seed());
    sleep(Duration::from_secs(1)).await;
    visitors.end(&servers).await
}

#[tokio::test(flavor = "multi_thread")]
async fn at_one_server_with_sessions_in_its_process_nothing_is_found() {
    let node = Node::start(&[]).await;
    let (requests, findings) = a_second_at(&[node]).await;
    assert!(findings.is_none(), "{findings}");
    assert!(requests.good().writes().count() > 50, "{}", requests.by_status());
    assert_eq!(requests.failed().count(), 0, "{}", requests.by_status());
}

#[tokio::test(flavor = "multi_thread")]
async fn at_two_servers_that_share_nothing_lost_sessions_and_stale_reads_are_found() {
    let nodes = [Node::start(&[]).await, Node::start(&[]).await];
    let (_, findings) = a_second_at(&nodes).await;
    assert!(findings.lost > 0 && findings.stale > 0, "{findings}");
}
