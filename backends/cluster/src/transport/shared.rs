//! What the tasks of one transport share.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::Incoming;
use super::counts::{Counters, count};
use super::event::{Event, Inbox};
use super::frame::Kind;
use super::hello::{self, Hello};
use super::identity::Identity;
use super::link;
use super::links::{Links, Unsent};
use super::queue::Queue;
use super::settings::Settings;
use super::swim;

#[derive(Debug)]
pub(super) struct Shared {
    pub(super) settings: Settings,
    pub(super) hello: Hello,
    pub(super) counters: Counters,
    pub(super) links: Links,
    pub(super) incoming: Incoming,
    identity: RwLock<Option<Identity>>,
    random: Mutex<SmallRng>,
    pub(super) inbox: Arc<dyn Inbox>,
    swim: mpsc::Sender<swim::Input>,
    tasks: TaskTracker,
    /// Where the tasks run, whoever has one begin: a caller may be of a runtime that ends before this one.
    runtime: Handle,
    pub(super) stop: CancellationToken,
}

impl Shared {
    /// To be called on the runtime that carries the links.
    pub(super) fn new(settings: Settings, inbox: Arc<dyn Inbox>, swim: mpsc::Sender<swim::Input>) -> Self {
        let hello = Hello {
            versions: hello::VERSIONS,
            cluster: settings.cluster.as_str().to_owned(),
            member: settings.me,
        };
        Self {
            hello,
            counters: Counters::default(),
            links: Links::new(settings.limits),
            incoming: Incoming::default(),
            identity: RwLock::new(settings.identity.clone()),
            random: Mutex::new(SmallRng::seed_from_u64(settings.seed)),
            inbox,
            swim,
            tasks: TaskTracker::new(),
            runtime: Handle::current(),
            stop: CancellationToken::new(),
            settings,
        }
    }

    pub(super) fn identity(&self) -> Option<Identity> {
        self.identity.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn renew(&self, identity: Identity) {
        *self.identity.write().unwrap_or_else(PoisonError::into_inner) = Some(identity);
    }

    /// A generator of its own for a task.
    pub(super) fn random(&self) -> SmallRng {
        SmallRng::from_rng(&mut *self.random.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Runs until the transport stops.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let stop = self.stop.clone();
        let until_stopped = async move {
            stop.run_until_cancelled(task).await;
        };
        self.tasks.spawn_on(until_stopped, &self.runtime);
    }

    /// Stops every task and waits until they are gone.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) fn tell(&self, event: Event) {
        self.inbox.take(&mut vec![event]);
    }

    pub(super) async fn tell_swim(&self, input: swim::Input) {
        let _ = self.swim.send(input).await;
    }

    pub(super) fn offer_swim(&self, input: swim::Input) {
        if self.swim.try_send(input).is_err() {
            count(&self.counters.swim_dropped, 1);
        }
    }

    /// Sends over the link to an address, which is made where there is none. Never waits.
    pub(super) fn send(self: &Arc<Self>, to: SocketAddr, kind: Kind, payload: Bytes) -> Result<(), Unsent> {
        self.enqueue(to, kind, payload).map(|queue| queue.write_now(&self.counters))
    }

    /// Sends messages to one peer. They go together.
    pub(super) fn send_all(self: &Arc<Self>, to: SocketAddr, messages: impl Iterator<Item = Bytes>) {
        // What surely goes nowhere is lost as on any network.
        let queued = messages.filter_map(|payload| self.enqueue(to, Kind::Message, payload).ok()).last();
        if let Some(queue) = queued {
            queue.write_now(&self.counters);
        }
    }

    fn enqueue(self: &Arc<Self>, to: SocketAddr, kind: Kind, payload: Bytes) -> Result<Arc<Queue>, Unsent> {
        let queue = self.may_speak_to(to).and_then(|()| {
            self.links.push(to, kind, payload, |queue| self.spawn(link::keep(self.clone(), to, queue)))
        });
        if let Err(unsent) = queue {
            let lost =
                if let Unsent::Shed(lost) = unsent { lost } else { usize::from(kind == Kind::Message) };
            count(&self.counters.unsent, lost);
        }
        queue
    }

    fn may_speak_to(&self, to: SocketAddr) -> Result<(), Unsent> {
        if to == self.settings.me.address {
            return Err(Unsent::Itself);
        }
        let is_open = self.settings.identity.is_some() || to.ip().is_loopback();
        if is_open { Ok(()) } else { Err(Unsent::Insecure) }
    }
}
