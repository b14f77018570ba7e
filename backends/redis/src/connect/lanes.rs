//! Connections that one caller owns at a time. `WAIT` blocks its connection and asks about the writes of that connection,
//! so it cannot travel on the shared one.
//!
//! A pool of `deadpool`, without `deadpool-redis`: that one spends a trip of two commands on every checkout.

use std::sync::Arc;

use deadpool::managed::{self, Metrics, Pool, RecycleError, RecycleResult};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use tokio::time::{Instant, timeout_at};

use super::LinkOptions;
use super::node::{Node, connect};
use super::verdict::Lost;

/// The lanes of one master.
pub(super) type Lanes = Pool<Layer>;

pub(super) struct Layer {
    node: Arc<Node>,
    options: LinkOptions,
}

/// A connection of one's own.
pub(super) struct Lane {
    connection: MultiplexedConnection,
    /// Which connection of the node it was opened beside.
    number: u64,
    /// Whether an answer is still to come: somebody gave up waiting.
    waiting: bool,
}

pub(super) fn lanes(node: &Arc<Node>, options: &LinkOptions) -> Lanes {
    let layer = Layer { node: node.clone(), options: options.clone() };
    let pool = Pool::builder(layer).max_size(options.lanes).build();
    pool.expect("a pool without timeouts needs no runtime")
}

impl managed::Manager for Layer {
    type Type = Lane;
    type Error = RedisError;

    async fn create(&self) -> Result<Lane, RedisError> {
        let link = self.node.now().ok_or((redis::ErrorKind::Client, "no master"))?;
        let connection = connect(link.server(), &self.options).await?;
        Ok(Lane { connection, number: link.number(), waiting: false })
    }

    async fn recycle(&self, lane: &mut Lane, _: &Metrics) -> RecycleResult<RedisError> {
        let same = self.node.now().is_some_and(|link| link.number() == lane.number);
        if same && !lane.waiting { Ok(()) } else { Err(RecycleError::message("of an earlier connection")) }
    }
}

impl Lane {
    pub(super) async fn send(&mut self, commands: &Pipeline, deadline: Instant) -> Result<Vec<Value>, Lost> {
        self.waiting = true;
        let sent = self.connection.send_packed_commands(commands, 0, commands.len());
        let replies = timeout_at(deadline, sent).await.map_err(|_| Lost::TimedOut)?;
        let replies = replies.map_err(Lost::Broken)?;
        self.waiting = false;
        Ok(replies)
    }
}
