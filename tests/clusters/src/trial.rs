//! A cluster with visitors, and what they met.

use std::net::SocketAddr;
use std::time::Duration;

use abide_harness::{Browser, Cluster, Crowd, Findings, Requests, Rotation, Visitors, seed};
use http::{Method, StatusCode};
use tokio::time::{Instant, sleep, timeout};

use crate::row::Row;

/// Within this time of a fault those that are left answer a write.
pub(crate) const FIRST_WRITE: Duration = Duration::from_secs(3);
/// Within this time of a fault's end everybody serves.
pub(crate) const HEALED: Duration = Duration::from_secs(5);
/// How long visitors come before a fault.
pub(crate) const CALM: Duration = Duration::from_secs(1);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const LOOK: Duration = Duration::from_secs(2);
/// Long enough to say how late it was.
const PATIENCE: Duration = Duration::from_secs(60);

/// Whom visitors go to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// Everybody, whatever they say.
    Everybody,
    /// Those that say they are ready.
    TheReady,
}

pub(crate) struct Trial {
    pub(crate) cluster: Cluster,
    pub(crate) row: Row,
    visitors: Visitors,
    /// Somebody of the trial's own, who is signed in.
    own: Browser,
}

impl Trial {
    /// A node on each of the first `count` seats, all ready, and visitors.
    pub(crate) async fn start(
        what: &str,
        mut cluster: Cluster,
        count: usize,
        asked: Asked,
        crowd: Crowd,
    ) -> Self {
        for seat in 0..count {
            cluster.start(seat).await;
        }
        cluster.all_ready().await;
        let seats: Vec<_> = (0..cluster.count()).map(|seat| cluster.address(seat)).collect();
        let rotation = match asked {
            Asked::Everybody => Rotation::all(&seats),
            Asked::TheReady => Rotation::ready(&seats).await,
        };
        let mut own = cluster.browser(0);
        own.log_in("trial").await;
        let visitors = Visitors::start(rotation, crowd, seed());
        sleep(CALM).await;
        Self { cluster, row: Row::new(what), visitors, own }
    }

    /// Counts the requests that ended since the last time, and answers them.
    pub(crate) fn requests(&mut self) -> Requests {
        let requests = self.visitors.requests();
        self.row.count(&requests);
        requests
    }

    /// What should not have been seen, so far.
    pub(crate) fn findings(&self) -> Findings {
        self.visitors.findings()
    }

    /// What those that are left owe after a fault: a good write soon, and every read.
    pub(crate) fn judge_the_rest(&mut self, rest: &[SocketAddr], fault: Instant) {
        let requests = self.requests().at(rest).since(fault);
        self.row.first_write(requests.writes().good().first_answer(fault), FIRST_WRITE);
        self.row.all_good("the reads on the rest", &requests.reads());
        self.row.all_good("all requests to the rest since then", &requests.since(fault + FIRST_WRITE));
    }

    /// Waits until every node is ready, and answers a write.
    pub(crate) async fn heals(&mut self, fault_ends: Instant) {
        for seat in self.cluster.taken() {
            self.cluster.ready(seat).await;
            self.serves(seat).await;
        }
        self.row.healed(fault_ends.elapsed(), HEALED);
    }

    async fn serves(&mut self, seat: usize) {
        let served = async {
            loop {
                let mut browser = self.own.at(self.cluster.address(seat));
                let asked = timeout(LOOK, browser.try_send(Method::POST, "/values/n/increment", "")).await;
                if matches!(asked, Ok(Ok(answer)) if answer.status == StatusCode::OK) {
                    return;
                }
                sleep(BETWEEN_LOOKS).await;
            }
        };
        if timeout(PATIENCE, served).await.is_err() {
            self.row.late(format!("node {seat} does not serve again"));
        }
    }

    /// Sends the visitors home, and looks at every session at every node.
    pub(crate) async fn end(mut self) -> Row {
        let (requests, findings) = self.visitors.end(&self.cluster.addresses()).await;
        self.row.count(&requests);
        self.row.found(findings);
        self.row
    }
}
