//! A Cluster: which master has a slot.
//!
//! The map of slots comes from any server, at the start, after each sign that it is out of date, and every 100 ms while a
//! master is away. `MOVED` corrects it at once. Each master has a connection, a breaker and lanes of its own, so that one
//! that is hung or dead costs nobody who asks for keys of another: `redis`'s own client for clusters waits for it, and
//! hides whether a command may have been applied.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_core::{Error, ErrorKind};
use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::{Pipeline, RedisError};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::backoff::Backoff;
use super::map::{Map, Range, ranges, slot_of};
use super::master::Master;
use super::node::{Source, jittered, silence};
use super::target::{Host, Place, Reach};

/// How often it is looked whether a master is away.
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// The map is asked for so often without any reason.
const LONGEST_AGE: Duration = Duration::from_secs(15);

/// A Cluster. Cheap to clone; the last clone lets go of the connections.
#[derive(Clone)]
pub(super) struct Cluster(Arc<Shared>);

struct Shared {
    nodes: Arc<Nodes>,
    task: AbortHandle,
}

/// The servers that are known, and the map.
struct Nodes {
    seeds: Vec<Host>,
    reach: Arc<Reach>,
    changes: watch::Sender<u64>,
    /// Masters by place, also those that only receive a slot.
    known: Mutex<HashMap<Host, Master>>,
    map: watch::Sender<Option<Arc<Map>>>,
    /// Since when there is no map, or the process began.
    since: Instant,
    doubt: Notify,
    /// Why nobody could be asked for the map, the last time.
    cause: Mutex<Option<RedisError>>,
}

impl Cluster {
    /// Begins to look for the map.
    pub(super) fn start(seeds: Vec<Host>, reach: Arc<Reach>, changes: watch::Sender<u64>) -> Self {
        let nodes = Arc::new(Nodes {
            seeds,
            reach,
            changes,
            known: Mutex::default(),
            map: watch::Sender::new(None),
            since: Instant::now(),
            doubt: Notify::new(),
            cause: Mutex::default(),
        });
        let task = tokio::spawn(nodes.clone().keep_fresh()).abort_handle();
        Self(Arc::new(Shared { nodes, task }))
    }

    /// The master of a key.
    pub(super) async fn master(&self, key: &[u8], deadline: Instant) -> Result<Master, Error> {
        let map = self.map(deadline).await?;
        map.master(slot_of(key)).cloned().ok_or_else(|| {
            self.refresh();
            Error::new(ErrorKind::Unavailable, "no redis master has the slot of the key")
        })
    }

    /// The master of a key as far as is known at this moment.
    pub(super) fn now(&self, key: &[u8]) -> Option<Master> {
        self.0.nodes.map.borrow().as_ref().and_then(|map| map.master(slot_of(key)).cloned())
    }

    /// Every master that has slots.
    pub(super) async fn masters(&self, deadline: Instant) -> Result<Vec<Master>, Error> {
        let map = self.map(deadline).await?;
        if !map.is_whole() {
            return Err(Error::new(ErrorKind::Unavailable, "some slots of the redis cluster have no master"));
        }
        Ok(map.masters().cloned().collect())
    }

    /// Whether every slot has a master within reach that serves.
    pub(super) fn ready(&self) -> bool {
        self.0.nodes.map.borrow().as_ref().is_some_and(|map| map.is_whole() && map.is_up())
    }

    /// Has the map looked at again.
    pub(super) fn refresh(&self) {
        self.0.nodes.doubt.notify_one();
    }

    /// A server said that another one has a slot.
    pub(super) fn moved(&self, slot: u16, place: &str) {
        if let Some(master) = self.at(place) {
            self.0.nodes.map.send_if_modified(|map| {
                if let Some(known) = map {
                    *map = Some(Arc::new(known.with(slot, master)));
                }
                map.is_some()
            });
        }
        self.refresh();
    }

    /// The master at a place, as redirections write it.
    pub(super) fn at(&self, place: &str) -> Option<Master> {
        let (name, port) = place.rsplit_once(':')?;
        // Without a name it is another port of the server that answered, which has the same name as its fellows.
        let name = if name.is_empty() { self.0.nodes.seeds.first()?.name.clone() } else { name.to_owned() };
        Some(self.0.nodes.at(&Host { name, port: port.parse().ok()? }))
    }

    async fn map(&self, deadline: Instant) -> Result<Arc<Map>, Error> {
        let nodes = &self.0.nodes;
        if let Some(map) = &*nodes.map.borrow() {
            return Ok(map.clone());
        }
        let until = deadline.min(nodes.since + nodes.reach.options.patience);
        let mut map = nodes.map.subscribe();
        let known = timeout_at(until, map.wait_for(Option::is_some)).await;
        let known = known.ok().and_then(Result::ok).and_then(|map| map.clone());
        known.ok_or_else(|| nodes.away())
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster").field("ready", &self.ready()).finish_non_exhaustive()
    }
}

impl Nodes {
    async fn keep_fresh(self: Arc<Self>) {
        let mut fresh_until = Instant::now();
        let mut backoff = Backoff::new(BETWEEN_LOOKS, BETWEEN_LOOKS);
        loop {
            let calm =
                Instant::now() < fresh_until && self.map.borrow().as_ref().is_some_and(|map| map.is_calm());
            if !calm {
                let taken = self.refresh().await;
                fresh_until = Instant::now() + if taken { LONGEST_AGE } else { Duration::ZERO };
                let cause = self.cause().clone();
                if let Some(cause) = cause.filter(|_| !taken) {
                    let pause = backoff.after(&cause);
                    if backoff.is_refused() {
                        // Nobody's doubt makes the next login better.
                        sleep(pause).await;
                        continue;
                    }
                }
                backoff.reset();
            }
            let doubted = timeout(jittered(BETWEEN_LOOKS), self.doubt.notified()).await.is_ok();
            if doubted {
                fresh_until = Instant::now();
                // Many who doubt at once are one.
                sleep(jittered(BETWEEN_LOOKS / 4)).await;
            }
        }
    }

    /// Asks for the map, and says whether somebody had one.
    async fn refresh(&self) -> bool {
        let Some(map) = self.ask().await else { return false };
        let ranges = map.into_iter().map(|range| (range.first, range.last, self.at(&range.host)));
        let map = Map::new(ranges.collect());
        let moved = self.map.borrow().as_ref().is_some_and(|known| !known.is_same(&map));
        self.forget_all_but(&map);
        self.map.send_replace(Some(Arc::new(map)));
        if moved {
            self.changes.send_modify(|changes| *changes += 1);
        }
        true
    }

    /// The first good answer: of masters that are up, else of anybody.
    async fn ask(&self) -> Option<Vec<Range>> {
        let masters: Vec<_> =
            self.lock().iter().map(|(host, master)| (host.clone(), master.clone())).collect();
        let up = masters.iter().filter_map(|(host, master)| Some((host, master.link()?)));
        let mut asked: FuturesUnordered<_> = up
            .map(|(host, link)| async move {
                let deadline = Instant::now() + self.reach.options.heartbeat;
                ranges(&link.send(&question(), deadline).await.ok()?.pop()?, host)
            })
            .collect();
        while let Some(answer) = asked.next().await {
            if answer.is_some() {
                return answer;
            }
        }
        let anybody = self.seeds.iter().chain(masters.iter().map(|(host, _)| host));
        let mut asked: FuturesUnordered<_> = anybody.map(|host| self.ask_anew(host)).collect();
        while let Some(answer) = asked.next().await {
            if answer.is_some() {
                return answer;
            }
        }
        None
    }

    async fn ask_anew(&self, host: &Host) -> Option<Vec<Range>> {
        let asked = timeout(self.reach.options.connect_within, async {
            let mut connection = self.reach.connect(&Place::Host(host.clone())).await?;
            connection.send_packed_commands(&question(), 0, 1).await
        });
        let cause = match asked.await {
            Ok(Ok(mut answer)) => return ranges(&answer.pop()?, host),
            Ok(Err(cause)) => cause,
            Err(_) => silence(),
        };
        *self.cause() = Some(cause);
        None
    }

    fn cause(&self) -> MutexGuard<'_, Option<RedisError>> {
        self.cause.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn away(&self) -> Error {
        let error = Error::new(ErrorKind::Unavailable, "no server of the redis cluster is within reach");
        match &*self.cause() {
            Some(cause) => error.with_source(cause.clone()),
            None => error,
        }
    }

    fn at(&self, host: &Host) -> Master {
        let mut known = self.lock();
        if let Some(master) = known.get(host) {
            return master.clone();
        }
        let source = Source::Fixed(Place::Host(host.clone()));
        let master = Master::start(source, &self.reach, &self.changes);
        known.insert(host.clone(), master.clone());
        master
    }

    /// Lets go of servers that are away and have no slots.
    fn forget_all_but(&self, map: &Map) {
        self.lock().retain(|_, master| master.link().is_some() || map.masters().any(|one| one.is(master)));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Host, Master>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn question() -> Pipeline {
    let mut question = Pipeline::with_capacity(1);
    question.cmd("CLUSTER").arg("SLOTS");
    question
}
