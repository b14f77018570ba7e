//! How many trips operations cost with a near-cache, by the server's own count.

use abide_harness::Redis;

use crate::stage::{Process, key};

const READS: [&str; 1] = ["get"];
const SCRIPTS: [&str; 2] = ["evalsha", "eval"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_is_at_hand_costs_no_trip_and_a_write_after_it_one() {
    let server = Redis::single().await;
    let near = Process::near(&server.url(), 1).await;
    near.create(&key(1)).await;
    near.set(&key(1), 1).await.unwrap();
    near.warm(&key(1)).await;

    let before = server.calls().await;
    for _ in 0..100 {
        near.get(&key(1)).await.unwrap();
    }
    let after = server.calls().await;
    assert_eq!(after.of_commands(&READS), before.of_commands(&READS), "reads at hand");
    assert_eq!(after.of_commands(&SCRIPTS), before.of_commands(&SCRIPTS), "reads at hand");

    let before = after;
    for n in 0..100 {
        near.set_at_hand(&key(1), n).await.unwrap();
    }
    let after = server.calls().await;
    assert_eq!(after.of_commands(&SCRIPTS) - before.of_commands(&SCRIPTS), 100, "one for each write");
    // Of each script one `GET` is its own.
    assert_eq!(after.of_commands(&READS) - before.of_commands(&READS), 100, "none for the reads before");
}
