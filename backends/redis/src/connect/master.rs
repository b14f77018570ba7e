//! One master: its shared connection, and its lanes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Error, ErrorKind};
use redis::{Pipeline, Value};
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::exchange::{Route, exchange};
use super::lanes::Lanes;
use super::link::Link;
use super::node::{Node, Source};
use super::target::Reach;
use super::verdict::Lost;
use super::{Acknowledged, LinkNumber, Terms};

/// The part of the remaining time that replicas are waited for; the rest is for the answer's way back.
const WAIT_SHARE: f64 = 0.8;

/// One master, for an operation that concerns no single key.
#[derive(Clone)]
pub struct Master {
    node: Arc<Node>,
    lanes: Lanes,
}

/// The replies of one trip.
pub(super) struct Trip {
    pub(super) replies: Vec<Value>,
    /// How many replicas have it.
    pub(super) replicas: usize,
    /// The shared connection of that time.
    pub(super) link: Arc<Link>,
    /// Its number, where it was taken and is watched.
    pub(super) over: Option<LinkNumber>,
}

/// Why a trip has no replies.
pub(super) enum Failed {
    /// Nothing was sent.
    Away(Error),
    /// Something may have been.
    Lost(Lost),
}

impl Master {
    pub(super) fn start(source: Source, reach: &Arc<Reach>, changes: &watch::Sender<u64>) -> Self {
        let brought = source.pool();
        let node = Arc::new(Node::start(source, reach.clone(), changes.clone()));
        let lanes = Lanes::new(brought, &node, reach);
        Self { node, lanes }
    }

    /// As [`Servers::run`](super::Servers::run), on this master.
    ///
    /// # Errors
    ///
    /// As [`Servers::run`](super::Servers::run).
    pub async fn run(&self, commands: &Pipeline, terms: Terms) -> Result<Vec<Value>, Error> {
        let Acknowledged { values, .. } =
            exchange(&Route::One(self.clone()), b"", commands, 0, terms).await?;
        Ok(values)
    }

    /// The shared connection of this moment.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.node.now()
    }

    /// Whether it is within reach, and serves.
    pub(super) fn serves(&self) -> bool {
        self.link().is_some_and(|link| link.pause.is_none())
    }

    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node, &other.node)
    }

    /// Sends commands, and waits for replicas in the same trip: for no more of them than are connected.
    pub(super) async fn send(&self, commands: &Pipeline, wait: usize, terms: Terms) -> Result<Trip, Failed> {
        let link = self.node.link(terms.deadline).await.map_err(Failed::Away)?;
        if let Some(connected) = link.replicas().filter(|connected| *connected < terms.needs) {
            link.count_again();
            let text = format!("{connected} replicas are connected, {} were asked for", terms.needs);
            return Err(Failed::Away(Error::new(ErrorKind::Unavailable, text)));
        }
        let wait = wait.min(link.replicas().unwrap_or(wait));
        if wait > 0 {
            // Boxed: a large and deep future, of which those who do not wait would carry the weight.
            return Box::pin(self.send_and_wait(commands, wait, terms, link)).await;
        }
        let replies = link.send(commands, terms.deadline).await.map_err(Failed::Lost)?;
        Ok(Trip { replies, replicas: 0, over: link.watched(), link })
    }

    async fn send_and_wait(
        &self,
        commands: &Pipeline,
        wait: usize,
        terms: Terms,
        link: Arc<Link>,
    ) -> Result<Trip, Failed> {
        let lane = timeout_at(terms.deadline, self.lanes.get()).await;
        let Ok(Some(lane)) = lane else {
            let text = "no connection to redis is free to wait for replicas";
            return Err(Failed::Away(Error::new(ErrorKind::Unavailable, text)));
        };
        let mut commands = commands.clone();
        commands.cmd("WAIT").arg(wait).arg(millis(terms.remaining().mul_f64(WAIT_SHARE)));
        let mut replies = lane.send(&commands, terms.deadline).await.map_err(Failed::Lost)?;
        let replicas = match replies.pop() {
            Some(Value::Int(replicas)) => usize::try_from(replicas).unwrap_or(0),
            // A server that has no `WAIT`, or lets this user not wait.
            _ => 0,
        };
        Ok(Trip { replies, replicas, over: None, link })
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master").field("node", &self.node).finish_non_exhaustive()
    }
}

fn millis(duration: Duration) -> u64 {
    // `WAIT 0` waits for ever.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}
