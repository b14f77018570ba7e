//! Connections that one caller owns at a time. `WAIT` blocks its connection and asks about the writes of that connection,
//! so it cannot travel on the shared one.
//!
//! A pool of `deadpool`, without `deadpool-redis`: that one spends a trip of two commands on every checkout.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Metrics, Pool, RecycleError, RecycleResult};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use tokio::time::{Instant, timeout, timeout_at};

use super::LinkNumber;
use super::node::Node;
use super::target::Reach;
use super::verdict::Lost;

/// A lane that rested longer is asked whether it lives: servers hang up on idle clients.
const LONG_REST: Duration = Duration::from_secs(1);

/// The lanes of one master.
pub(super) type Lanes = Pool<Layer>;

/// Opens lanes beside the shared connection of a node.
pub(super) struct Layer {
    node: Arc<Node>,
    reach: Arc<Reach>,
}

/// A connection of one's own.
pub(super) struct Lane {
    connection: MultiplexedConnection,
    /// Which connection of the node it was opened beside.
    number: LinkNumber,
    /// Whether an answer is still to come: somebody gave up waiting.
    waiting: bool,
}

pub(super) fn lanes(node: &Arc<Node>, reach: &Arc<Reach>) -> Lanes {
    let layer = Layer { node: node.clone(), reach: reach.clone() };
    let pool = Pool::builder(layer).max_size(reach.options.lanes).build();
    pool.expect("a pool without timeouts needs no runtime")
}

impl managed::Manager for Layer {
    type Type = Lane;
    type Error = RedisError;

    async fn create(&self) -> Result<Lane, RedisError> {
        let link = self.node.now().ok_or((redis::ErrorKind::Client, "no master is within reach"))?;
        let connection = self.reach.connect(link.place()).await?;
        Ok(Lane { connection, number: link.number(), waiting: false })
    }

    async fn recycle(&self, lane: &mut Lane, metrics: &Metrics) -> RecycleResult<RedisError> {
        let same = self.node.now().is_some_and(|link| link.number() == lane.number);
        if !same || lane.waiting {
            return Err(RecycleError::message("of an earlier connection"));
        }
        if metrics.last_used() > LONG_REST {
            let ping = redis::cmd("PING");
            let pong =
                timeout(self.reach.options.heartbeat, lane.connection.send_packed_command(&ping)).await;
            pong.map_err(|_| RecycleError::message("no answer"))??;
        }
        Ok(())
    }
}

impl Lane {
    /// Sends commands and waits for their replies. Dropping this leaves a lane that is not used again.
    pub(super) async fn send(&mut self, commands: &Pipeline, deadline: Instant) -> Result<Vec<Value>, Lost> {
        self.waiting = true;
        let sent = self.connection.send_packed_commands(commands, 0, commands.len());
        let replies = timeout_at(deadline, sent).await.map_err(|_| Lost::TimedOut)?.map_err(Lost::Broken)?;
        self.waiting = false;
        Ok(replies)
    }
}
