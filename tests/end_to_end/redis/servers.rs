//! What requests of one session at several nodes see of each other.

use super::Three;
use crate::promises;

#[tokio::test]
async fn of_320_concurrent_increments_at_three_nodes_every_one_counts() {
    let three = Three::start(&[]).await;
    promises::of_320_increments_every_one_counts(&three.addresses()).await;
}

#[tokio::test]
async fn of_32_parallel_writes_at_three_nodes_every_one_is_kept() {
    let three = Three::start(&[]).await;
    promises::of_32_keys_every_one_is_kept(&three.addresses()).await;
}

#[tokio::test]
async fn of_300_hops_between_nodes_none_reads_what_is_old() {
    let three = Three::start(&[]).await;
    promises::of_300_hops_none_reads_what_is_old(&three.addresses()).await;
}

#[tokio::test]
async fn of_20_logouts_against_slow_requests_at_another_node_none_is_undone() {
    let three = Three::start(&[]).await;
    promises::twenty_logouts_win(three.addresses()).await;
}

#[tokio::test]
async fn a_logout_a_login_and_the_end_of_others_count_at_every_node_at_once() {
    let three = Three::start(&[]).await;
    promises::what_happens_to_a_session_counts_everywhere_at_once(&three.addresses()).await;
}
