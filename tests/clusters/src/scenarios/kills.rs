//! One of three is killed, again and again.

use std::time::Duration;

use abide_harness::{Cluster, Crowd};
use tokio::time::{Instant, sleep};

use crate::row::Row;
use crate::trial::{Asked, CALM, FIRST_WRITE, Trial};

/// How long the rest is watched before the killed one comes back: a little longer than it may take to write again.
const WATCHED: Duration = FIRST_WRITE.saturating_add(Duration::from_secs(1));

pub(super) async fn run(times: usize) -> Row {
    let (cluster, crowd) = (Cluster::seats(3), Crowd::default());
    let mut trial = Trial::start("kill -9 of one of three", cluster, 3, Asked::TheReady, crowd).await;
    for time in 0..times {
        strike(&mut trial, time % 3).await;
        sleep(CALM).await;
    }
    trial.end().await
}

async fn strike(trial: &mut Trial, seat: usize) {
    trial.requests();
    trial.cluster.kill9(seat).await;
    let (fault, rest) = (Instant::now(), trial.cluster.addresses());
    trial.row.again();
    sleep(WATCHED).await;
    trial.judge_the_rest(&rest, fault);
    trial.cluster.start(seat).await;
    trial.cluster.all_ready().await;
}
