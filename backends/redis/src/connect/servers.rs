//! What the store calls.

use std::fmt;
use std::sync::Arc;

use abide_core::Error;
use redis::{Cmd, Pipeline, Value};
use tokio::sync::watch;

use super::address::Kind;
use super::cluster::Cluster;
use super::exchange::{Route, exchange, exchange_one};
use super::master::Master;
use super::node::Source;
use super::sentinel::Sentinels;
use super::target::{Place, Reach};
use super::verdict;
use super::{Address, AddressError, LinkNumber, LinkOptions, Script, Terms};

/// The servers of one address. Cheap to clone; the last clone lets go of the connections.
#[derive(Clone)]
pub struct Servers(Arc<Inner>);

struct Inner {
    address: Address,
    changes: watch::Receiver<u64>,
    route: Route,
}

/// What was answered, and how many replicas have it.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Acknowledged {
    /// The replies, as of [`Servers::run`].
    pub values: Vec<Value>,
    /// How many replicas had the write by the deadline.
    pub replicas: usize,
    /// The shared connection that it came over, where that is [watched](super::Watcher); `None` of a lane.
    pub over: Option<LinkNumber>,
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
        let reach = Arc::new(Reach::servers(&address, &options)?);
        let one = |source| Route::One(Master::start(source, &reach, &sender));
        let route = match &address.kind {
            Kind::Server(host) => one(Source::Fixed(Place::Host(host.clone()))),
            Kind::Unix(path) => one(Source::Fixed(Place::Socket(path.clone()))),
            Kind::Pool(pool) => {
                pool.check()?;
                one(Source::Fixed(Place::Pool(pool.clone())))
            }
            Kind::Sentinel { sentinels, master } => {
                let asking = Reach::sentinels(&address, &options)?;
                one(Source::Sentinels(Sentinels::new(sentinels.clone(), master.clone(), asking)))
            }
            Kind::Cluster(seeds) => {
                Route::Cluster(Cluster::start(seeds.clone(), reach.clone(), sender.clone()))
            }
        };
        Ok(Self(Arc::new(Inner { address, changes, route })))
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
        Ok(self.run_and_wait(key, commands, 0, terms).await?.values)
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
        Ok(first(self.invoke_and_wait(key, script, arguments, 0, terms).await?.values))
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
        exchange(&self.0.route, key, commands, replicas, terms).await
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
        let by_hash = self.ask_and_wait(key, || script.by_hash(key, arguments), replicas, terms).await?;
        if !by_hash.values.first().is_some_and(verdict::is_no_script) {
            return Ok(by_hash);
        }
        Box::pin(async { self.ask_and_wait(key, || script.by_text(key, arguments), replicas, terms).await })
            .await
    }

    /// As [`run_and_wait`](Self::run_and_wait), of one command: with less ado.
    ///
    /// # Errors
    ///
    /// As [`run`](Self::run).
    pub(crate) async fn ask_and_wait(
        &self,
        key: &[u8],
        command: impl Fn() -> Cmd + Sync,
        replicas: usize,
        terms: Terms,
    ) -> Result<Acknowledged, Error> {
        exchange_one(&self.0.route, key, &command, replicas, terms).await
    }

    /// How many replicas the master of `key` had at the last heartbeat, 250 ms ago by default; `None` while it is away, or
    /// where it does not tell.
    #[must_use]
    pub fn replicas(&self, key: &[u8]) -> Option<usize> {
        self.0.route.link(key)?.replicas()
    }

    /// Every master, for what concerns no single key.
    ///
    /// # Errors
    ///
    /// `Unavailable` where they are not all known.
    pub async fn masters(&self, terms: Terms) -> Result<Vec<Master>, Error> {
        match &self.0.route {
            Route::One(master) => Ok(vec![master.clone()]),
            Route::Cluster(cluster) => cluster.masters(terms.deadline).await,
        }
    }

    /// Counts the connections made to masters. It moves after each failover, each restart of a server and each loss of a
    /// connection: what a server may have forgotten is to be told again.
    #[must_use]
    pub fn masters_changed(&self) -> watch::Receiver<u64> {
        self.0.changes.clone()
    }

    /// Whether every master is within reach, and none says that its Cluster is down.
    #[must_use]
    pub fn ready(&self) -> bool {
        match &self.0.route {
            Route::One(master) => master.serves(),
            Route::Cluster(cluster) => cluster.ready(),
        }
    }
}

fn first(replies: Vec<Value>) -> Value {
    replies.into_iter().next().unwrap_or(Value::Nil)
}

impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Servers").field("address", &self.0.address).field("ready", &self.ready()).finish()
    }
}
