//! What the store calls.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Error, ErrorKind};
use redis::{Pipeline, Value};
use tokio::sync::watch;
use tokio::time::timeout_at;

use super::lanes::{Lanes, lanes};
use super::node::Node;
use super::verdict::{self, Verdict};
use super::{Address, AddressError, LinkOptions, Script, Terms};

/// The part of the remaining time that replicas are waited for; the rest is for the answer's way back.
const WAIT_SHARE: f64 = 0.8;

/// The servers of one address. Cheap to clone; the last clone lets go of the connections.
#[derive(Clone)]
pub struct Servers(Arc<Inner>);

struct Inner {
    address: Address,
    changes: watch::Receiver<u64>,
    master: Master,
}

/// One master, for an operation that concerns no single key.
#[derive(Clone)]
pub struct Master {
    node: Arc<Node>,
    lanes: Lanes,
}

/// What was answered, and how many replicas have it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Acknowledged {
    /// The replies, as of [`Servers::run`].
    pub values: Vec<Value>,
    /// How many replicas had the write by the deadline.
    pub replicas: usize,
}

impl Servers {
    /// Begins to connect, in tasks of the current runtime. That a server is away is no error: operations are refused until
    /// it is there.
    ///
    /// # Errors
    ///
    /// [`AddressError`] where the options do not suit the address.
    ///
    /// # Panics
    ///
    /// Outside of a tokio runtime.
    pub fn open(address: Address, options: LinkOptions) -> Result<Self, AddressError> {
        let (sender, changes) = watch::channel(0);
        let node = Arc::new(Node::start(address.server.clone(), &options, sender));
        let lanes = lanes(&node, &options);
        Ok(Self(Arc::new(Inner { address, changes, master: Master { node, lanes } })))
    }

    /// Runs commands that concern `key` alone (or keys of its hash tag), in one trip, without a transaction, and answers one
    /// value for each. An error that concerns the command itself (`WRONGTYPE`, what a script raised) is among the values as
    /// [`Value::ServerError`].
    ///
    /// # Errors
    ///
    /// `Unavailable` where nothing was written: no master is within reach, or it refuses. `Full` where it has no memory
    /// left. `Ambiguous` where the answer of commands that may write was lost.
    ///
    /// # Cancellation
    ///
    /// As `Ambiguous`: the commands may still be sent.
    pub async fn run(&self, key: &[u8], commands: &Pipeline, terms: Terms) -> Result<Vec<Value>, Error> {
        self.of(key).run(commands, terms).await
    }

    /// Runs a script with `key` as `KEYS[1]`: by its hash, and with its text at once where the server does not know it.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn invoke(
        &self,
        key: &[u8],
        script: &Script,
        arguments: &[&[u8]],
        terms: Terms,
    ) -> Result<Value, Error> {
        let master = self.of(key);
        let reply = first(master.run(&script.by_hash(key, arguments), terms).await?);
        if !verdict::is_no_script(&reply) {
            return Ok(reply);
        }
        Ok(first(master.run(&script.by_text(key, arguments), terms).await?))
    }

    /// As [`run`](Self::run), then waits in the same trip until `replicas` replicas have the write, or most of the time is
    /// over. It waits for no more replicas than are connected.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run). Too few replicas is no error here: the answer says how many.
    pub async fn run_and_wait(
        &self,
        key: &[u8],
        commands: &Pipeline,
        replicas: usize,
        terms: Terms,
    ) -> Result<Acknowledged, Error> {
        self.of(key).run_and_wait(commands.clone(), replicas, terms).await
    }

    /// As [`invoke`](Self::invoke), with the waiting of [`run_and_wait`](Self::run_and_wait).
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub async fn invoke_and_wait(
        &self,
        key: &[u8],
        script: &Script,
        arguments: &[&[u8]],
        replicas: usize,
        terms: Terms,
    ) -> Result<Acknowledged, Error> {
        let master = self.of(key);
        let by_hash = master.run_and_wait(script.by_hash(key, arguments), replicas, terms).await?;
        if !by_hash.values.first().is_some_and(verdict::is_no_script) {
            return Ok(by_hash);
        }
        master.run_and_wait(script.by_text(key, arguments), replicas, terms).await
    }

    /// How many replicas the master of `key` had at the last heartbeat, 250 ms ago by default; `None` while it is away.
    #[must_use]
    pub fn replicas(&self, key: &[u8]) -> Option<usize> {
        self.of(key).node.now().map(|link| link.replicas())
    }

    /// Every master, for what concerns no single key.
    ///
    /// # Errors
    ///
    /// `Unavailable` where they are not known.
    pub async fn masters(&self, _terms: Terms) -> Result<Vec<Master>, Error> {
        Ok(vec![self.0.master.clone()])
    }

    /// Counts the connections made to masters. It moves after each failover, each restart of a server and each loss of a
    /// connection: what a server may have forgotten is to be told again.
    #[must_use]
    pub fn masters_changed(&self) -> watch::Receiver<u64> {
        self.0.changes.clone()
    }

    /// Whether every master is within reach.
    #[must_use]
    pub fn ready(&self) -> bool {
        self.0.master.node.now().is_some()
    }

    fn of(&self, _key: &[u8]) -> &Master {
        &self.0.master
    }
}

impl Master {
    /// As [`Servers::run`], on this master.
    ///
    /// # Errors
    ///
    /// As [`Servers::run`].
    pub async fn run(&self, commands: &Pipeline, terms: Terms) -> Result<Vec<Value>, Error> {
        loop {
            let link = self.node.link(terms.deadline).await?;
            let replies = match link.send(commands, terms.deadline).await {
                Ok(replies) => replies,
                Err(_) if terms.read_only && !terms.remaining().is_zero() => continue,
                Err(lost) => return Err(lost.into_error(terms.read_only)),
            };
            let Some((verdict, reply)) = worst(&replies) else { return Ok(replies) };
            if verdict == Verdict::NotServing {
                link.fail();
            }
            return Err(verdict::refused(verdict, reply));
        }
    }

    async fn run_and_wait(
        &self,
        mut commands: Pipeline,
        replicas: usize,
        terms: Terms,
    ) -> Result<Acknowledged, Error> {
        let link = self.node.link(terms.deadline).await?;
        let wanted = replicas.min(link.replicas());
        if wanted == 0 {
            return Ok(Acknowledged { values: self.run(&commands, terms).await?, replicas: 0 });
        }
        commands.cmd("WAIT").arg(wanted).arg(millis(terms.remaining().mul_f64(WAIT_SHARE)));
        let lane = timeout_at(terms.deadline, self.lanes.get()).await;
        let Ok(Ok(mut lane)) = lane else {
            return Err(Error::new(
                ErrorKind::Unavailable,
                "no connection to redis is free to wait for replicas",
            ));
        };
        let mut values =
            lane.send(&commands, terms.deadline).await.map_err(|lost| lost.into_error(terms.read_only))?;
        let waited = values.pop();
        if let Some((verdict, reply)) = worst(&values) {
            return Err(verdict::refused(verdict, reply));
        }
        let replicas = match waited {
            Some(Value::Int(replicas)) => usize::try_from(replicas).unwrap_or(0),
            _ => 0,
        };
        Ok(Acknowledged { values, replicas })
    }
}

/// The first reply that is a refusal.
fn worst(replies: &[Value]) -> Option<(Verdict, &Value)> {
    let judged = replies.iter().map(|reply| (verdict::judge(reply), reply));
    judged.into_iter().find(|(verdict, _)| *verdict != Verdict::Answer)
}

fn first(replies: Vec<Value>) -> Value {
    replies.into_iter().next().unwrap_or(Value::Nil)
}

fn millis(duration: Duration) -> u64 {
    // `WAIT 0` waits for ever.
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).max(1)
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("address", &self.0.address).field("ready", &self.ready()).finish()
    }
}

impl fmt::Debug for Master {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Master").field("node", &self.node).finish_non_exhaustive()
    }
}
