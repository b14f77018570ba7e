//! What the tasks of one transport share.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use bytes::Bytes;
use rand::SeedableRng as _;
use rand::rngs::SmallRng;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::accept::Incoming;
use super::counts::{Counters, count};
use super::event::Event;
use super::frame::Kind;
use super::hello::{self, Hello};
use super::identity::Identity;
use super::link;
use super::links::{Links, Unsent};
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
    events: mpsc::Sender<Event>,
    swim: mpsc::Sender<swim::Input>,
    /// A permit is a byte that was received and not yet taken.
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    pub(super) stop: CancellationToken,
}

impl Shared {
    pub(super) fn new(
        settings: Settings,
        events: mpsc::Sender<Event>,
        swim: mpsc::Sender<swim::Input>,
    ) -> Self {
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
            events,
            swim,
            room: Arc::new(Semaphore::new(settings.limits.received_bytes.min(Semaphore::MAX_PERMITS))),
            tasks: TaskTracker::new(),
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
        self.tasks.spawn(async move {
            stop.run_until_cancelled(task).await;
        });
    }

    /// Stops every task and waits until they are gone.
    pub(super) async fn stop(&self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }

    pub(super) async fn tell(&self, event: Event) {
        // Nobody listens any more where this fails.
        let _ = self.events.send(event).await;
    }

    pub(super) async fn tell_swim(&self, input: swim::Input) {
        let _ = self.swim.send(input).await;
    }

    pub(super) fn offer_swim(&self, input: swim::Input) {
        if self.swim.try_send(input).is_err() {
            count(&self.counters.swim_dropped, 1);
        }
    }

    /// Waits until so many bytes may be held.
    pub(super) async fn room_for(&self, bytes: usize) -> OwnedSemaphorePermit {
        let most = self.settings.limits.received_bytes.min(u32::MAX as usize);
        let bytes = u32::try_from(bytes.min(most)).unwrap_or(u32::MAX);
        self.room.clone().acquire_many_owned(bytes).await.expect("nobody closes it")
    }

    /// Sends over the link to an address, which is made where there is none. Never waits.
    pub(super) fn send(self: &Arc<Self>, to: SocketAddr, kind: Kind, payload: Bytes) -> Result<(), Unsent> {
        let sent = self.may_speak_to(to).and_then(|()| {
            self.links.push(to, kind, payload, |queue| self.spawn(link::keep(self.clone(), to, queue)))
        });
        if let Err(unsent) = sent {
            let lost =
                if let Unsent::Shed(lost) = unsent { lost } else { usize::from(kind == Kind::Message) };
            count(&self.counters.unsent, lost);
        }
        sent
    }

    fn may_speak_to(&self, to: SocketAddr) -> Result<(), Unsent> {
        if to == self.settings.me.address {
            return Err(Unsent::Itself);
        }
        let is_open = self.settings.identity.is_some() || to.ip().is_loopback();
        if is_open { Ok(()) } else { Err(Unsent::Insecure) }
    }
}
