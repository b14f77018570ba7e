//! All of it mixed, for a long time.

use std::time::Duration;

use abide_harness::{Cluster, Crowd, seed};
use fastrand::Rng;
use tokio::time::{Instant, sleep};

use crate::memory::Memory;
use crate::row::Row;
use crate::trial::{Asked, Trial};

const NODES: usize = 3;
const SEATS: usize = NODES + 1;
/// From here on memory is judged: the ends of sessions are remembered for ten minutes, so before that it has to grow.
const LONG: Duration = Duration::from_secs(30 * 60);
/// How often it tells what was met so far.
const NEWS: Duration = Duration::from_secs(300);

pub(super) async fn run(length: Duration) -> Row {
    // Sessions whose logout was not answered go by themselves.
    let cluster = Cluster::seats(SEATS).setting("ABIDE_IDLE_TIMEOUT", "5m");
    let crowd = Crowd { pause: Duration::from_millis(30), ..Crowd::default() };
    let mut trial = Trial::start("soak", cluster, NODES, Asked::TheReady, crowd).await;
    let (mut rng, mut memory) = (Rng::with_seed(seed()), Memory::default());
    let (begun, mut told) = (Instant::now(), Instant::now());
    while begun.elapsed() < length {
        calm(&trial, &mut memory, Duration::from_millis(rng.u64(2_000..8_000))).await;
        disturb(&mut trial, &mut rng).await;
        trial.cluster.all_ready().await;
        trial.cluster.all_whole().await;
        trial.row.again();
        trial.requests();
        if told.elapsed() > NEWS {
            told = Instant::now();
            let (passed, most) = (begun.elapsed(), mib(memory.last()));
            println!("after {passed:.0?}: {}; the largest node takes {most:.1} MiB", trial.findings());
        }
    }
    judge(&memory, length, &mut trial.row);
    trial.end().await
}

async fn calm(trial: &Trial, memory: &mut Memory, length: Duration) {
    sleep(length).await;
    memory.look(&trial.cluster);
}

/// One node, by chance, meets one fault.
async fn disturb(trial: &mut Trial, rng: &mut Rng) {
    let taken = trial.cluster.taken();
    let (seat, empty) = (taken[rng.usize(..NODES)], (0..SEATS).find(|seat| !taken.contains(seat)).unwrap());
    match rng.u8(..4) {
        0 => {
            trial.cluster.kill9(seat).await;
            sleep(Duration::from_millis(rng.u64(..4_000))).await;
            trial.cluster.start(seat).await;
        }
        1 => {
            trial.cluster.kill9(seat).await;
            trial.cluster.start(empty).await;
        }
        2 => {
            trial.cluster.node(seat).stop().await;
            sleep(Duration::from_millis(rng.u64(..15_000))).await;
            trial.cluster.node(seat).cont().await;
        }
        _ => {
            trial.cluster.start(empty).await;
            trial.cluster.ready(empty).await;
            let exit = trial.cluster.terminate(seat).await;
            if !exit.status.success() {
                trial.row.late(format!("a node that was asked to leave ended with {exit:?}"));
            }
        }
    }
}

fn judge(memory: &Memory, length: Duration, row: &mut Row) {
    let Some((before, last)) = memory.thirds() else { return };
    row.note(format!(
        "memory of a node at most: {:.1} MiB, in the last third {:.1} MiB",
        mib(before),
        mib(last)
    ));
    if length >= LONG && !Memory::is_flat(before, last) {
        row.breaks("memory grows".into());
    }
}

fn mib(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}
