//! Fresh seeds on Redis at every run: `ABIDE_SEED` chooses the first, `ABIDE_SEEDS` how many.

use abide_conformance::interleavings::check_seeds;
use abide_harness::{Redis, RedisCluster, SentinelSet, seed, seeds};
use abide_interleavings::redis;

/// Off the runtime that holds the servers: each operation blocks until it was answered.
async fn check(url: String, usual: u64) {
    let checked = tokio::task::spawn_blocking(move || {
        let driver = redis(&url).expect("the URL is one");
        let tally =
            check_seeds(&driver, seed(), seeds(usual)).unwrap_or_else(|violation| panic!("{violation}"));
        println!("{tally}");
        assert_eq!(tally.seeds(), seeds(usual));
    });
    checked.await.expect("no plan fails");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_order_a_store_on_a_single_server_is_that_of_one_session() {
    let server = Redis::single().await;
    check(server.url(), 300).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_order_a_store_on_a_sentinel_set_is_that_of_one_session() {
    let set = SentinelSet::start().await;
    check(set.url(), 100).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_the_order_a_store_on_a_cluster_is_that_of_one_session() {
    let cluster = RedisCluster::start().await;
    check(cluster.url(), 100).await;
}
