//! The network between three nodes breaks, and mends.

use std::time::Duration;

use abide_harness::{Cluster, Crowd, Request, Requests};
use fastrand::Rng;
use http::StatusCode;
use tokio::time::{Instant, sleep};

use crate::network::Network;
use crate::row::Row;
use crate::trial::{Asked, FIRST_WRITE, Trial};

/// The node that is cut off.
const ALONE: usize = 2;
/// A request to a node that cannot serve is refused within the deadline of an operation, a second, and what a busy machine adds.
const REFUSED_WITHIN: Duration = Duration::from_millis(2_500);

pub(super) async fn two_against_one(length: Duration) -> Row {
    let what = format!("two against one for {length:?}");
    cut_off(&what, &[(2, 0), (2, 1), (0, 2), (1, 2)], length).await
}

pub(super) async fn one_way(length: Duration) -> Row {
    cut_off(&format!("one is heard by nobody for {length:?}"), &[(2, 0), (2, 1)], length).await
}

async fn start(what: &str) -> (Network, Trial) {
    let network = Network::of(3);
    let cluster = Cluster::of(network.seats());
    (network, Trial::start(what, cluster, 3, Asked::Everybody, Crowd::default()).await)
}

async fn cut_off(what: &str, links: &[(u8, u8)], length: Duration) -> Row {
    let (network, mut trial) = start(what).await;
    trial.requests();
    links.iter().for_each(|(from, to)| network.cut(*from, *to));
    let fault = Instant::now();
    trial.row.again();
    sleep(length).await;
    judge(&mut trial, fault).await;
    network.mend();
    trial.heals(Instant::now()).await;
    trial.end().await
}

/// The majority goes on; the minority refuses, says why, and does so in time.
async fn judge(trial: &mut Trial, fault: Instant) {
    let (requests, alone) = (trial.requests().since(fault), [trial.cluster.address(ALONE)]);
    let majority = [0, 1].map(|seat| trial.cluster.address(seat));
    let first = requests.at(&majority).writes().good().first_answer(fault);
    trial.row.first_write(first, FIRST_WRITE);
    refuses(&mut trial.row, &requests.at(&alone));
    match trial.cluster.why_not_ready(ALONE).await {
        Some(reason) => trial.row.note(format!("who is cut off says: {reason}")),
        None => trial.row.breaks("who is cut off says that it is ready".into()),
    }
}

fn refuses(row: &mut Row, requests: &Requests) {
    let clear = |request: &&Request| request.status == Some(StatusCode::SERVICE_UNAVAILABLE);
    if requests.good().count() > 0 {
        row.breaks(format!("who is cut off served {} requests", requests.good().count()));
    }
    if requests.count() == 0 || requests.0.iter().any(|request| !clear(&request)) {
        row.late(format!("who is cut off answered {}", requests.failed().by_status()));
    }
    if requests.longest() > REFUSED_WITHIN {
        row.late(format!("who is cut off took {:.1?} to refuse", requests.longest()));
    }
}

/// Two of three do not hear each other, and both hear the third.
pub(super) async fn one_link(length: Duration) -> Row {
    let (network, mut trial) = start(&format!("one link of three, one-way, for {length:?}")).await;
    trial.requests();
    network.cut(0, 1);
    let fault = Instant::now();
    trial.row.again();
    sleep(length).await;
    let requests = trial.requests().since(fault);
    trial.row.first_write(requests.writes().good().first_answer(fault), FIRST_WRITE);
    network.mend();
    trial.heals(Instant::now()).await;
    trial.end().await
}

/// Links break, one-way or both, for a moment or longer.
pub(super) async fn flapping(length: Duration) -> Row {
    let (network, mut trial) = start(&format!("links flap for {length:?}")).await;
    let (mut rng, ends) = (Rng::with_seed(abide_harness::seed()), Instant::now() + length);
    while Instant::now() < ends {
        let (from, by) = (rng.u8(..3), rng.u8(1..3));
        let to = (from + by) % 3;
        network.cut(from, to);
        if rng.bool() {
            network.cut(to, from);
        }
        trial.row.again();
        sleep(Duration::from_millis(rng.u64(50..2_000))).await;
        network.mend();
        sleep(Duration::from_millis(rng.u64(50..1_000))).await;
    }
    trial.requests();
    trial.heals(Instant::now()).await;
    trial.end().await
}
