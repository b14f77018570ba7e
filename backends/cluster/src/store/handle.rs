//! The store itself.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Error, ErrorKind, Stamp, Stamps};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::builder::ClusterStoreBuilder;
use super::clock::Time;
use super::driver::{Command, Driver};
use super::error::OpenError;
use super::host::Host;
use super::life::{Plan, random, sessions};
use super::recent::Recent;
use super::status::Status;
use crate::protocol::{Answer, Request};
use crate::transport::Identity;

/// How many commands may wait for the task.
const COMMANDS: usize = 16;
/// How much longer than the protocol this side waits: the protocol knows whether a request may have happened.
const GRACE: Duration = Duration::from_millis(250);

/// Sessions on the servers of a cluster, this one among them. Cheap to clone; when the last clone is dropped this server
/// vanishes from the cluster, as if it had crashed. [`drain`](abide_core::SessionStore::drain) first.
///
/// **Linearizable** between servers that live, whatever the network does: an operation that reaches no majority of the
/// owners of its session is [`Unavailable`](ErrorKind::Unavailable), or [`Ambiguous`](ErrorKind::Ambiguous) where it may
/// have happened. What was answered is lost where more than half of the owners of a session, rounded down, crash at once.
///
/// ```
/// use abide_cluster::store::ClusterStore;
/// use abide_core::{LoadOptions, Readiness, SessionKey, SessionStore as _};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Without `join` a server founds a cluster of its own.
/// let store = ClusterStore::builder("127.0.0.1:0".parse()?).open().await?;
/// while store.ready().await != Readiness::Ready {
///     tokio::time::sleep(std::time::Duration::from_millis(10)).await;
/// }
/// let nobody = SessionKey::from_bytes([7; 16]);
/// assert!(store.load(&nobody, &LoadOptions::default()).await?.is_none());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct ClusterStore(Arc<Handle>);

#[derive(Debug)]
struct Handle {
    host: Arc<Host>,
    commands: mpsc::Sender<Command>,
    status: watch::Receiver<Status>,
    timeout: Duration,
    time: Time,
    recent: Recent,
    calls: Stamps,
}

impl ClusterStore {
    /// A store of a server that its peers reach at `address`. Port 0 stands for one that the system chooses.
    pub fn builder(address: SocketAddr) -> ClusterStoreBuilder {
        ClusterStoreBuilder::new(address)
    }

    pub(super) async fn begin(plan: Plan, time: Time) -> Result<Self, OpenError> {
        let timeout = plan.protocol.operation + GRACE;
        let (host, wishes) = Host::new(time.clone());
        let (commands, asked) = mpsc::channel(COMMANDS);
        let (driver, status) = Driver::begin(plan, host.clone(), asked, wishes).await?;
        tokio::spawn(driver.run());
        let (recent, calls) = (Recent::default(), Stamps::new(random()?));
        Ok(Self(Arc::new(Handle { host, commands, status, timeout, time, recent, calls })))
    }

    /// Where this server is in its cluster, now and whenever that changes.
    #[must_use]
    pub fn status(&self) -> watch::Receiver<Status> {
        self.0.status.clone()
    }

    /// Shows another certificate from now on, and trusts other authorities: for certificates that were renewed. Links that
    /// are up stay as they are. It changes nothing where the store has no identity.
    pub async fn renew(&self, identity: Identity) {
        drop(self.0.commands.send(Command::Renew(identity)).await);
    }

    /// Founds a new cluster of the members that this one hears, because an operator knows that the others are gone for
    /// good. It answers how many slots, of 16 384, may lack something, for no majority of their owners is left: zero where
    /// nothing is missing. To be called on one server, once.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](ErrorKind::Unavailable) where this server is in no cluster.
    pub async fn recover(&self) -> Result<usize, Error> {
        let (answer, answered) = oneshot::channel();
        drop(self.0.commands.send(Command::Recover { answer }).await);
        answered.await.map_err(|_| Error::new(ErrorKind::Unavailable, "in no cluster: nothing to recover"))
    }

    /// For tests: as if the network carried nothing, until told otherwise.
    #[doc(hidden)]
    pub fn cut_off(&self, is_cut: bool) {
        self.0.host.cut_off(is_cut);
    }

    /// A name for a call that is like no other.
    pub(super) fn name_call(&self) -> Stamp {
        self.0.calls.next(self.time().wall())
    }

    pub(super) fn time(&self) -> &Time {
        &self.0.time
    }

    pub(super) fn recent(&self) -> &Recent {
        &self.0.recent
    }

    /// Until when an operation that begins now may take.
    pub(super) fn until(&self) -> Instant {
        Instant::now() + self.0.timeout
    }

    /// Asks the cluster, and waits until then. `changes` says whether it may change something.
    pub(super) async fn ask(&self, request: Request, changes: bool, until: Instant) -> Result<Answer, Error> {
        let unavailable = |why| Error::new(ErrorKind::Unavailable, why);
        let answered = self.0.host.ask(request)?;
        match timeout_at(until, answered).await {
            Ok(Ok(answer)) => answer,
            // It was asked, and nobody knows what came of it.
            _ if changes => Err(Error::new(ErrorKind::Ambiguous, "no answer in time")),
            _ => Err(unavailable("no answer in time")),
        }
    }

    /// Leaves the cluster, and answers how many sessions the others have now.
    pub(super) async fn leave(&self, within: Duration) -> Result<u64, Error> {
        let late = |_| Error::new(ErrorKind::Unavailable, "the others did not take the sessions in time");
        let (answer, answered) = oneshot::channel();
        let asked = async {
            drop(self.0.commands.send(Command::Leave { answer }).await);
            answered.await.unwrap_or(0)
        };
        let left = timeout(within, asked).await.map_err(late);
        if left.is_err() {
            drop(self.0.commands.send(Command::Stay).await);
        }
        left
    }

    /// How many sessions this server keeps a copy of.
    pub(super) fn held(&self) -> u64 {
        self.0.host.look(sessions).unwrap_or(0)
    }

    pub(super) fn seen(&self) -> Status {
        self.0.status.borrow().clone()
    }
}

#[cfg(test)]
mod tests {
    use abide_core::{LoadOptions, Readiness, SessionKey, SessionStore as _};

    use super::*;

    async fn until_ready(store: &ClusterStore) {
        let ready = |status: &Status| status.readiness == Readiness::Ready;
        timeout(Duration::from_secs(30), store.status().wait_for(ready)).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn a_server_whose_protocol_panicked_refuses_and_begins_anew_under_another_id() {
        let store = ClusterStore::builder("127.0.0.1:0".parse().unwrap()).open().await.unwrap();
        until_ready(&store).await;
        let (before, key) = (store.seen().me, SessionKey::from_bytes([7; 16]));
        store.0.host.panic();
        let refused = store.load(&key, &LoadOptions::default()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Unavailable);
        let anew = |status: &Status| status.readiness == Readiness::Ready && status.me.id != before.id;
        timeout(Duration::from_secs(30), store.status().wait_for(anew)).await.unwrap().unwrap();
        assert_eq!(store.seen().me.address, before.address);
        assert!(store.load(&key, &LoadOptions::default()).await.unwrap().is_none());
    }
}
