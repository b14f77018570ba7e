//! What requests of one session at several nodes see of each other.

use abide_harness::Cluster;

use super::three;
use crate::promises;

#[tokio::test]
async fn of_320_concurrent_increments_and_32_keys_at_three_nodes_of_a_cluster_every_one_is_kept() {
    // So many at one session stand in a queue, longer than an operation may take on a machine that is busy.
    let mut cluster = Cluster::seats(3).setting("ABIDE_STORE_TIMEOUT", "20s");
    cluster.start_all().await;
    promises::of_320_increments_every_one_counts(&three(&cluster)).await;
    promises::of_32_keys_every_one_is_kept(&three(&cluster)).await;
}

#[tokio::test]
async fn of_300_hops_between_nodes_of_a_cluster_none_reads_what_is_old() {
    let cluster = Cluster::together(3).await;
    promises::of_300_hops_none_reads_what_is_old(&three(&cluster)).await;
}

#[tokio::test]
async fn of_20_logouts_against_slow_requests_at_another_node_of_a_cluster_none_is_undone() {
    let cluster = Cluster::together(3).await;
    promises::twenty_logouts_win(three(&cluster)).await;
}

#[tokio::test]
async fn a_logout_a_login_and_the_end_of_others_count_at_every_node_of_a_cluster_at_once() {
    let cluster = Cluster::together(3).await;
    promises::what_happens_to_a_session_counts_everywhere_at_once(&three(&cluster)).await;
}
