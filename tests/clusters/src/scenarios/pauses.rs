//! One of three stops for a while, and goes on.

use std::time::Duration;

use abide_harness::{Cluster, Crowd};
use tokio::time::{Instant, sleep};

use crate::row::Row;
use crate::trial::{Asked, Trial};

const PAUSED: usize = 2;

pub(super) async fn run(length: Duration) -> Row {
    let what = format!("one of three pauses for {length:?}");
    let mut trial = Trial::start(&what, Cluster::seats(3), 3, Asked::TheReady, Crowd::default()).await;
    let rest = [0, 1].map(|seat| trial.cluster.address(seat));
    trial.requests();
    trial.cluster.node(PAUSED).stop().await;
    let fault = Instant::now();
    trial.row.again();
    sleep(length).await;
    trial.judge_the_rest(&rest, fault);
    trial.cluster.node(PAUSED).cont().await;
    trial.heals(Instant::now()).await;
    trial.end().await
}
