//! A connection that dies, with or without notice, leaves nobody an old answer past the bound.

use abide_core::ErrorKind;
use abide_harness::Redis;
use tokio::time::{Instant, sleep_until};

use crate::gate::Gate;
use crate::stage::{BOUND, Process, key, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_hangs_unnoticed_leaves_no_old_answer_past_the_bound() {
    let server = Redis::single().await;
    let gate = Gate::before(server.address()).await;
    let (near, plain) = (Process::near(&gate.url(), 1).await, Process::plain(&server.url(), 2).await);
    for n in 0..3 {
        plain.create(&key(n)).await;
        near.warm(&key(n)).await;
        gate.shut();
        plain.set(&key(n), 7).await.unwrap();
        sleep_until(Instant::now() + BOUND).await;
        match near.get(&key(n)).await {
            Ok(value) => assert_eq!(value, Some(7), "an old answer past the bound"),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable),
        }
        gate.open();
        until(|| async { near.get(&key(n)).await.is_ok_and(|value| value == Some(7)) }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tracking_connection_that_is_killed_leaves_no_old_answer_past_the_bound() {
    let server = Redis::single().await;
    let (near, plain) = (Process::near(&server.url(), 1).await, Process::plain(&server.url(), 2).await);
    plain.create(&key(1)).await;
    for n in 1..20 {
        near.warm(&key(1)).await;
        kill_tracking(&server).await;
        plain.set(&key(1), n).await.unwrap();
        let took = until(|| async { near.get(&key(1)).await.is_ok_and(|value| value == Some(n)) }).await;
        assert!(took < BOUND, "an old answer for {took:?}");
    }
    assert!(near.metric("near_flushes") >= 20);
}

/// Kills the connections on which the server tracks.
async fn kill_tracking(server: &Redis) {
    let clients = server.cli(&["CLIENT", "LIST"]).await;
    let field = |client: &str, name: &str| {
        client.split(' ').find_map(|field| field.strip_prefix(name).map(str::to_owned)).unwrap_or_default()
    };
    for client in clients.lines().filter(|client| field(client, "flags=").contains('t')) {
        server.cli(&["CLIENT", "KILL", "ID", &field(client, "id=")]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_forgets_everything_leaves_no_old_answer() {
    let server = Redis::single().await;
    let near = Process::near(&server.url(), 1).await;
    near.create(&key(1)).await;
    near.warm(&key(1)).await;
    server.cli(&["FLUSHALL"]).await;
    let took = until(|| async { near.get(&key(1)).await.unwrap().is_none() }).await;
    assert!(took < BOUND, "an old answer for {took:?}");
}
