//! What another process did is seen soon, and nothing stays old.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use abide_harness::{Redis, seed};

use crate::stage::{BOUND, Process, key, until};

const SESSIONS: u8 = 64;
const READERS: u64 = 32;
const WRITERS: u64 = 8;

/// How many writes each round makes; `ABIDE_TEST_WRITES` makes it more.
fn writes() -> u64 {
    std::env::var("ABIDE_TEST_WRITES")
        .map_or(3_000, |text| text.parse().expect("ABIDE_TEST_WRITES is a number"))
}

/// A cheap sequence for choices.
struct Choice(u64);

impl Choice {
    fn session(&mut self) -> u8 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) % u64::from(SESSIONS)) as u8
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_sessions_under_concurrent_writes_none_stays_old() {
    let server = Redis::single().await;
    let (near, plain) = (Process::near(&server.url(), 1).await, Process::plain(&server.url(), 2).await);
    for n in 0..SESSIONS {
        plain.create(&key(n)).await;
    }
    let seed = seed();
    for round in 0..5 {
        write_and_read(&near, &plain, seed ^ (round << 48)).await;
        for n in 0..SESSIONS {
            let current = plain.get(&key(n)).await.unwrap();
            let took = until(|| async { near.get(&key(n)).await.unwrap() == current }).await;
            assert!(took < BOUND, "session {n} stayed old for {took:?} in round {round}");
        }
    }
    assert!(near.metric("near_hits") > 0 && near.metric("near_invalidations") > 0);
}

/// Writers without a near-cache beside readers with one, and a writer with one among them.
async fn write_and_read(near: &Process, plain: &Process, seed: u64) {
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..READERS)
        .map(|reader| {
            let (near, done) = (near.clone(), done.clone());
            let mut choice = Choice(seed ^ reader);
            tokio::spawn(async move {
                while !done.load(Ordering::Relaxed) {
                    near.get(&key(choice.session())).await.unwrap();
                    tokio::task::yield_now().await;
                }
            })
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let process = if writer == 0 { near.clone() } else { plain.clone() };
            let mut choice = Choice(seed ^ (writer << 32));
            tokio::spawn(async move {
                for n in 0..writes() / WRITERS {
                    process.set(&key(choice.session()), n).await.unwrap();
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
    done.store(true, Ordering::Relaxed);
    for reader in readers {
        reader.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_on_another_server_is_seen_within_a_tenth_of_a_second() {
    let server = Redis::single().await;
    let (near, plain) = (Process::near(&server.url(), 1).await, Process::plain(&server.url(), 2).await);
    let mut took = Vec::new();
    for n in 0..100 {
        plain.create(&key(n)).await;
        near.warm(&key(n)).await;
        plain.end(&key(n)).await;
        took.push(until(|| async { near.get(&key(n)).await.unwrap().is_none() }).await);
    }
    took.sort();
    // The median: on a machine that is busy with other tests one of them may have to wait for a core.
    assert!(took[50] < Duration::from_millis(100), "{took:?}");
    assert!(*took.last().unwrap() < BOUND, "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_this_process_wrote_or_ended_it_sees_at_once() {
    let server = Redis::single().await;
    let near = Process::near(&server.url(), 1).await;
    near.create(&key(1)).await;
    for n in 1..200 {
        near.set(&key(1), n).await.unwrap();
        assert_eq!(near.get(&key(1)).await.unwrap(), Some(n));
    }
    near.end(&key(1)).await;
    assert_eq!(near.get(&key(1)).await.unwrap(), None);
}
