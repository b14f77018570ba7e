//! The sentinels: who is the master, and who just became it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use redis::{Client, Msg, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::backoff::Backoff;
use super::node::jittered;
use super::target::{Host, Place, Reach};

/// After the first answer the others have this long: one of them may know better.
const OTHERS_WITHIN: Duration = Duration::from_millis(50);
const BETWEEN_SUBSCRIPTIONS: Duration = Duration::from_millis(300);
/// What sentinels say of a failover, in the order in which they do: a replica is to become the master, was told to, was
/// seen to be it, and everybody knows. The first comes a tenth of a second before the replica is told, and whoever leaves the
/// old master then loses nothing that was answered: what it wrote until then is on its way to the replica.
const CHANNELS: [&str; 4] = [
    "+failover-state-send-slaveof-noone",
    "+failover-state-wait-promotion",
    "+promoted-slave",
    "+switch-master",
];

/// The sentinels of a master. Dropping it ends the subscriptions.
pub(super) struct Sentinels {
    inner: Arc<Inner>,
    _subscriptions: JoinSet<()>,
}

struct Inner {
    hosts: Vec<Host>,
    master: String,
    reach: Reach,
    /// The highest configuration epoch that was heard of.
    epoch: AtomicU64,
    named: watch::Sender<Option<Place>>,
}

/// What a sentinel answers.
struct Answer {
    epoch: u64,
    place: Place,
}

impl Sentinels {
    /// Begins to listen to each of them.
    pub(super) fn new(hosts: Vec<Host>, master: String, reach: Reach) -> Self {
        let named = watch::Sender::new(None);
        let inner = Arc::new(Inner { hosts, master, reach, epoch: AtomicU64::new(0), named });
        let mut subscriptions = JoinSet::new();
        for host in inner.hosts.clone() {
            subscriptions.spawn(inner.clone().follow(host));
        }
        Self { inner, _subscriptions: subscriptions }
    }

    /// Who the master is, by the sentinel of the latest configuration among those that answer.
    pub(super) async fn find(&self) -> RedisResult<Place> {
        let mut asked: FuturesUnordered<_> =
            self.inner.hosts.iter().map(|host| self.inner.ask(host)).collect();
        let mut best = Err((redis::ErrorKind::Client, "no sentinel answers").into());
        while let Some(answer) = asked.next().await {
            best = better(best, answer);
            if best.is_ok() {
                break;
            }
        }
        let others = async {
            while let Some(answer) = asked.next().await {
                best = better(std::mem::replace(&mut best, Err(unknown())), answer);
            }
        };
        let _ = timeout(OTHERS_WITHIN, others).await;
        let best = best?;
        self.inner.epoch.fetch_max(best.epoch, Ordering::Relaxed);
        Ok(best.place)
    }

    /// Places that they name without being asked.
    pub(super) fn named(&self) -> watch::Receiver<Option<Place>> {
        self.inner.named.subscribe()
    }
}

fn better(one: RedisResult<Answer>, other: RedisResult<Answer>) -> RedisResult<Answer> {
    match (one, other) {
        (Ok(one), Ok(other)) => Ok(if other.epoch > one.epoch { other } else { one }),
        (Ok(one), Err(_)) => Ok(one),
        (Err(_), other) => other,
    }
}

impl Inner {
    /// Asks one sentinel.
    async fn ask(&self, host: &Host) -> RedisResult<Answer> {
        let mut connection = self.reach.connect(&Place::Host(host.clone())).await?;
        let mut questions = Pipeline::with_capacity(2);
        questions.cmd("SENTINEL").arg("GET-MASTER-ADDR-BY-NAME").arg(&self.master);
        questions.cmd("SENTINEL").arg("MASTER").arg(&self.master);
        let answers = connection.send_packed_commands(&questions, 0, 2).await?;
        let [place, facts] = answers.as_slice() else { return Err(unknown()) };
        let place = match place {
            Value::Array(parts) => match parts.as_slice() {
                [Value::BulkString(name), Value::BulkString(port)] => place_of(name, port),
                _ => None,
            },
            Value::ServerError(error) => return Err(error.clone().into()),
            _ => None,
        };
        Ok(Answer { epoch: epoch_of(facts).unwrap_or(0), place: place.ok_or_else(unknown)? })
    }

    /// Listens to one sentinel for as long as this lives.
    async fn follow(self: Arc<Self>, host: Host) {
        let mut backoff = Backoff::new(BETWEEN_SUBSCRIPTIONS, BETWEEN_SUBSCRIPTIONS);
        loop {
            let pause = match self.listen(&host).await {
                Ok(()) => {
                    backoff.reset();
                    jittered(BETWEEN_SUBSCRIPTIONS)
                }
                Err(cause) => {
                    tracing::debug!(sentinel = %host, %cause, "a sentinel is out of reach");
                    backoff.after(&cause)
                }
            };
            sleep(pause).await;
        }
    }

    async fn listen(&self, host: &Host) -> RedisResult<()> {
        let client = Client::open(self.reach.info(&Place::Host(host.clone()))?)?;
        let within = self.reach.options.connect_within;
        let subscribe = async {
            let mut subscription = client.get_async_pubsub().await?;
            subscription.subscribe(&CHANNELS).await?;
            // What happened while nobody listened.
            let answer = self.ask(host).await?;
            RedisResult::Ok((subscription, answer))
        };
        let (mut subscription, answer) = timeout(within, subscribe).await.map_err(|_| unknown())??;
        if answer.epoch > self.epoch.fetch_max(answer.epoch, Ordering::Relaxed) {
            self.name(answer.place);
        }
        let mut events = subscription.on_message();
        while let Some(event) = events.next().await {
            if let Some(place) = self.master_of(&event) {
                self.name(place);
            }
        }
        Ok(())
    }

    fn name(&self, place: Place) {
        self.named.send_replace(Some(place));
    }

    /// The new master that an event names, if it is about ours.
    fn master_of(&self, event: &Msg) -> Option<Place> {
        let text = event.get_payload::<String>().ok()?;
        let words: Vec<_> = text.split(' ').collect();
        match (event.get_channel_name(), words.as_slice()) {
            ("+switch-master", [master, _, _, name, port]) if *master == self.master => {
                place_of(name.as_bytes(), port.as_bytes())
            }
            (_, ["slave", _, name, port, "@", master, ..]) if *master == self.master => {
                place_of(name.as_bytes(), port.as_bytes())
            }
            _ => None,
        }
    }
}

fn place_of(name: &[u8], port: &[u8]) -> Option<Place> {
    let name = std::str::from_utf8(name).ok()?.to_owned();
    let port = std::str::from_utf8(port).ok()?.parse().ok()?;
    Some(Place::Host(Host { name, port }))
}

/// The configuration epoch among the facts of a master: names and values by turns, or a map.
fn epoch_of(facts: &Value) -> Option<u64> {
    let Value::Array(facts) = facts else { return None };
    let mut pairs = facts.chunks_exact(2).filter_map(|pair| match pair {
        [Value::BulkString(name), Value::BulkString(value)] => Some((name, value)),
        _ => None,
    });
    let (_, epoch) = pairs.find(|(name, _)| *name == b"config-epoch")?;
    std::str::from_utf8(epoch).ok()?.parse().ok()
}

fn unknown() -> RedisError {
    (redis::ErrorKind::Client, "the sentinel does not know the master").into()
}
