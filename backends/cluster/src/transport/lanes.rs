//! The tasks that read from peers: a few for all links.
//!
//! Answers of several peers often come at once. Were there a task for each link, a second thread would be woken to share the
//! work, which takes longer than the work does, and takes the processor from whoever has to answer.

use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::thread::available_parallelism;

use futures_util::future::CatchUnwind;
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt as _, StreamExt as _};
use tokio::sync::mpsc;

/// How many cores there are to a lane.
const CORES: usize = 4;

type Link = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where links are carried: one lane at least.
#[derive(Debug)]
pub(super) struct Lanes(Vec<mpsc::UnboundedSender<Link>>);

/// One of the tasks, before it runs.
#[derive(Debug)]
pub(super) struct Lane(mpsc::UnboundedReceiver<Link>);

impl Lanes {
    /// As many as this machine can use, and what is to be run of each.
    pub(super) fn new() -> (Self, Vec<Lane>) {
        let cores = available_parallelism().map_or(1, usize::from);
        let lanes = (0..cores.div_ceil(CORES)).map(|_| mpsc::unbounded_channel());
        let (senders, receivers): (Vec<_>, Vec<_>) = lanes.unzip();
        (Self(senders), receivers.into_iter().map(Lane).collect())
    }

    /// Has a link carried until it ends.
    pub(super) fn carry(&self, number: u64, link: impl Future<Output = ()> + Send + 'static) {
        let lane = &self.0[number as usize % self.0.len()];
        // Where the lane is gone, so is the transport.
        let _ = lane.send(Box::pin(link));
    }
}

impl Lane {
    /// Carries links until the transport stops.
    pub(super) async fn run(mut self) {
        let mut links = FuturesUnordered::<CatchUnwind<AssertUnwindSafe<Link>>>::new();
        loop {
            tokio::select! {
                Some(ended) = links.next() => {
                    if ended.is_err() {
                        tracing::error!("cluster: a link from a peer panicked");
                    }
                }
                // The other links of the lane have nothing to do with a panic of this one.
                Some(link) = self.0.recv() => links.push(AssertUnwindSafe(link).catch_unwind()),
                else => return,
            }
        }
    }
}
