//! Five are replaced one after the other, round by round, with one more at a time.

use std::time::Duration;

use abide_harness::{Cluster, Crowd};
use tokio::time::sleep;

use crate::row::Row;
use crate::trial::{Asked, Trial};

const NODES: usize = 5;
/// A new node has served for a while before an old one goes.
const SETTLED: Duration = Duration::from_millis(500);

pub(super) async fn run(rounds: usize) -> Row {
    let (cluster, crowd) = (Cluster::seats(NODES + 1), Crowd::default());
    let mut trial = Trial::start("rolling restart of five", cluster, NODES, Asked::TheReady, crowd).await;
    for replaced in 0..rounds * NODES {
        replace(&mut trial, replaced % (NODES + 1)).await;
    }
    trial.end().await
}

/// The seats form a ring with one empty seat: the new node takes it, and the oldest leaves the next one.
async fn replace(trial: &mut Trial, oldest: usize) {
    let empty = (oldest + NODES) % (NODES + 1);
    trial.cluster.start(empty).await;
    trial.cluster.ready(empty).await;
    sleep(SETTLED).await;
    let exit = trial.cluster.terminate(oldest).await;
    if !exit.status.success() {
        trial.row.late(format!("a node that was asked to leave ended with {exit:?}"));
    }
    trial.row.again();
    let requests = trial.requests();
    trial.row.all_good("all requests", &requests);
}
