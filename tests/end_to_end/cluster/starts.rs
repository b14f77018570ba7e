//! How a cluster comes to be.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::time::Duration;

use abide_harness::{Cluster, Seat};
use http::StatusCode;
use tokio::time::sleep;

use super::three;
use crate::promises;

/// Longer than nodes listen for others before they found a cluster.
pub(super) const FOUNDED_BY_THEN: Duration = Duration::from_secs(5);

/// That they are one cluster and not three: what is written at one is read at the next.
async fn are_one(cluster: &Cluster) {
    promises::of_32_keys_every_one_is_kept(&three(cluster)).await;
}

#[tokio::test]
async fn nodes_that_start_together_are_one_cluster() {
    let cluster = Cluster::together(3).await;
    are_one(&cluster).await;
}

#[tokio::test]
async fn nodes_that_start_one_after_the_other_are_one_cluster_once_most_of_those_listed_are_there() {
    let mut cluster = Cluster::seats(3);
    cluster.start(0).await;
    sleep(FOUNDED_BY_THEN).await;
    let reason = cluster.why_not_ready(0).await.expect("one of three listed founds nothing");
    assert!(reason.starts_with("503"), "{reason}");
    let answer = cluster.browser(0).post("/login", r#"{"user":"ada"}"#).await;
    assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE, "{answer:?}");
    cluster.start(1).await;
    cluster.all_ready().await;
    cluster.start(2).await;
    cluster.ready(2).await;
    are_one(&cluster).await;
}

#[tokio::test]
async fn nodes_found_a_cluster_though_nobody_is_at_one_listed_address() {
    let mut cluster = Cluster::seats(3).listing(Seat::free().peers);
    cluster.start_all().await;
    are_one(&cluster).await;
}

/// A listed address behind which a cluster could be keeps nodes from founding another one. One that has a cluster to join
/// is not kept.
#[tokio::test]
async fn a_listed_address_that_takes_connections_and_never_answers_holds_up_who_founds_and_nobody_who_joins()
{
    let hangs = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let silent: SocketAddr = hangs.local_addr().unwrap();
    let mut cluster = Cluster::seats(3).listing(silent);
    cluster.start(0).await;
    cluster.start(1).await;
    cluster.start(2).await;
    sleep(FOUNDED_BY_THEN).await;
    for seat in 0..3 {
        let reason = cluster.why_not_ready(seat).await.expect("a cluster could be there");
        assert!(reason.starts_with("503"), "{reason}");
    }
    drop(hangs);
    cluster.all_ready().await;
    let _hangs_again = TcpListener::bind(silent).unwrap();
    cluster.kill9(2).await;
    cluster.start(2).await;
    cluster.ready(2).await;
    are_one(&cluster).await;
}
