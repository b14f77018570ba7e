//! Connections that one caller owns at a time. `WAIT` blocks its connection and asks about the writes of that connection,
//! so it cannot travel on the shared one.
//!
//! A pool of `deadpool`, without `deadpool-redis`: that one spends a trip of two commands on every checkout. Where the
//! application brought a pool they come from there all the same.

use std::sync::Arc;
use std::time::Duration;

use deadpool::managed::{self, Metrics, Object, Pool, RecycleError, RecycleResult};
use redis::aio::MultiplexedConnection;
use redis::{Pipeline, RedisError, Value};
use tokio::time::{Instant, timeout, timeout_at};

use super::LinkNumber;
use super::node::Node;
use super::pool::{Brought, Taken};
use super::target::Reach;
use super::verdict::Lost;

/// A lane that rested longer is asked whether it lives: servers hang up on idle clients.
const LONG_REST: Duration = Duration::from_secs(1);

/// The lanes of one master.
#[derive(Clone)]
pub(super) enum Lanes {
    Own(Pool<Layer>),
    Brought(Brought),
}

/// A connection of one's own, for one operation.
pub(super) enum Lane {
    Own(Object<Layer>),
    Brought(MultiplexedConnection, Taken),
}

/// Opens lanes beside the shared connection of a node.
pub(super) struct Layer {
    node: Arc<Node>,
    reach: Arc<Reach>,
}

/// A connection that rests between two operations.
pub(super) struct Kept {
    connection: MultiplexedConnection,
    /// Which connection of the node it was opened beside.
    number: LinkNumber,
    /// Whether an answer is still to come: somebody gave up waiting.
    waiting: bool,
}

impl Lanes {
    /// The lanes beside a node: those of a pool where one was brought.
    pub(super) fn new(brought: Option<Brought>, node: &Arc<Node>, reach: &Arc<Reach>) -> Self {
        if let Some(pool) = brought {
            return Self::Brought(pool);
        }
        let layer = Layer { node: node.clone(), reach: reach.clone() };
        let pool = Pool::builder(layer).max_size(reach.options.lanes).build();
        Self::Own(pool.expect("a pool without timeouts needs no runtime"))
    }

    /// A free lane, as soon as there is one; `None` where none can be opened.
    pub(super) async fn get(&self) -> Option<Lane> {
        match self {
            Self::Own(pool) => pool.get().await.ok().map(Lane::Own),
            Self::Brought(pool) => {
                pool.take().await.ok().map(|(connection, taken)| Lane::Brought(connection, taken))
            }
        }
    }
}

impl managed::Manager for Layer {
    type Type = Kept;
    type Error = RedisError;

    async fn create(&self) -> Result<Kept, RedisError> {
        let link = self.node.now().ok_or((redis::ErrorKind::Client, "no master is within reach"))?;
        let connection = self.reach.connect(link.place()).await?;
        Ok(Kept { connection, number: link.number(), waiting: false })
    }

    async fn recycle(&self, lane: &mut Kept, metrics: &Metrics) -> RecycleResult<RedisError> {
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
    /// Sends commands and waits for their replies. Dropping this leaves a connection that is not used again.
    pub(super) async fn send(self, commands: &Pipeline, deadline: Instant) -> Result<Vec<Value>, Lost> {
        match self {
            Self::Own(mut kept) => {
                kept.waiting = true;
                let replies = send(&mut kept.connection, commands, deadline).await?;
                kept.waiting = false;
                Ok(replies)
            }
            Self::Brought(mut connection, taken) => {
                let replies = send(&mut connection, commands, deadline).await?;
                taken.put_back();
                Ok(replies)
            }
        }
    }
}

async fn send(
    connection: &mut MultiplexedConnection,
    commands: &Pipeline,
    deadline: Instant,
) -> Result<Vec<Value>, Lost> {
    let sent = connection.send_packed_commands(commands, 0, commands.len());
    timeout_at(deadline, sent).await.map_err(|_| Lost::TimedOut)?.map_err(Lost::Broken)
}
