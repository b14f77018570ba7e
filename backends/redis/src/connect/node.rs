//! One master, whichever server it is at the moment: connects, watches over the connection, and refuses meanwhile.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Error, ErrorKind};
use redis::{RedisError, RedisResult};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::backoff::Backoff;
use super::link::{Failure, Link};
use super::pool::Brought;
use super::sentinel::Sentinels;
use super::target::{Place, Reach};
use super::verdict::is_down;
use super::watcher::{LinkEvent, LinkNumber};

const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const LONGEST_BACKOFF: Duration = Duration::from_millis(200);

/// How often a server that was named as the master is looked at before others are asked. It is named some 200 ms before
/// it is one.
const PROMOTION_LOOKS: u32 = 40;
const BETWEEN_PROMOTION_LOOKS: Duration = Duration::from_millis(10);

/// One master. Dropping it lets go of the connection.
pub(super) struct Node {
    state: watch::Receiver<State>,
    patience: Duration,
    task: AbortHandle,
}

#[derive(Clone)]
enum State {
    Up(Arc<Link>),
    Down(Outage),
}

/// A time without a connection.
#[derive(Clone)]
struct Outage {
    since: Instant,
    /// What the latest attempt to connect met.
    cause: Option<RedisError>,
}

/// Who says where the master is.
pub(super) enum Source {
    /// Nobody: it is always there.
    Fixed(Place),
    Sentinels(Sentinels),
}

impl Source {
    async fn find(&self) -> RedisResult<Place> {
        match self {
            Self::Fixed(place) => Ok(place.clone()),
            Self::Sentinels(sentinels) => sentinels.find().await,
        }
    }

    /// The pool that all connections come from, where there is one.
    pub(super) fn pool(&self) -> Option<Brought> {
        match self {
            Self::Fixed(Place::Pool(pool)) => Some(pool.clone()),
            _ => None,
        }
    }

    /// Places that are named as the master without being asked for.
    fn named(&self) -> watch::Receiver<Option<Place>> {
        match self {
            Self::Fixed(_) => watch::channel(None).1,
            Self::Sentinels(sentinels) => sentinels.named(),
        }
    }
}

impl Node {
    /// Begins to connect, and goes on for as long as the answer lives. `changes` counts the connections made.
    pub(super) fn start(source: Source, reach: Arc<Reach>, changes: watch::Sender<u64>) -> Self {
        let patience = reach.options.patience;
        let (sender, state) = watch::channel(State::Down(Outage::begin()));
        let keeper = Keeper { named: source.named(), next: None, source, reach, state: sender, changes };
        let task = tokio::spawn(keeper.keep()).abort_handle();
        Self { state, patience, task }
    }

    /// The connection, once its server serves. Waits for that while the outage is young; later it refuses at once.
    pub(super) async fn link(&self, deadline: Instant) -> Result<Arc<Link>, Error> {
        loop {
            let link = self.connected(deadline).await?;
            if link.pause.is_none() {
                return Ok(link);
            }
            if !link.pause.is_over(deadline, self.patience).await {
                return Err(is_down());
            }
        }
    }

    async fn connected(&self, deadline: Instant) -> Result<Arc<Link>, Error> {
        let until = match &*self.state.borrow() {
            State::Up(link) => return Ok(link.clone()),
            State::Down(outage) => deadline.min(outage.since + self.patience),
        };
        if Instant::now() < until {
            let mut state = self.state.clone();
            let _ = timeout_at(until, state.wait_for(|state| matches!(state, State::Up(_)))).await;
        }
        match &*self.state.borrow() {
            State::Up(link) => Ok(link.clone()),
            State::Down(outage) => Err(outage.error()),
        }
    }

    /// The connection of this moment.
    pub(super) fn now(&self) -> Option<Arc<Link>> {
        match &*self.state.borrow() {
            State::Up(link) => Some(link.clone()),
            State::Down(_) => None,
        }
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node").field("link", &self.now()).finish_non_exhaustive()
    }
}

impl Outage {
    fn begin() -> Self {
        Self { since: Instant::now(), cause: None }
    }

    fn error(&self) -> Error {
        let error = Error::new(ErrorKind::Unavailable, "no redis master is within reach");
        match &self.cause {
            Some(cause) => error.with_source(cause.clone()),
            None => error,
        }
    }
}

/// Keeps one connection.
struct Keeper {
    source: Source,
    /// Places that were named as the master without being asked for.
    named: watch::Receiver<Option<Place>>,
    /// One that was named and not looked at yet.
    next: Option<Place>,
    reach: Arc<Reach>,
    state: watch::Sender<State>,
    changes: watch::Sender<u64>,
}

impl Keeper {
    async fn keep(mut self) {
        let mut backoff = Backoff::new(FIRST_BACKOFF, LONGEST_BACKOFF);
        loop {
            match self.attempt().await {
                Attempt::Made(link) => {
                    backoff.reset();
                    self.serve(link).await;
                }
                Attempt::Interrupted => {}
                Attempt::Failed(cause) => {
                    let pause = backoff.after(&cause);
                    self.note(cause);
                    self.pause(pause).await;
                }
            }
        }
    }

    /// One attempt, which ends early where somebody else is named as the master.
    async fn attempt(&mut self) -> Attempt {
        let place = self.next.take();
        let current = place.clone();
        let number = LinkNumber(*self.changes.borrow() + 1);
        let open = async {
            if let Some(place) = place
                && let Some(link) = self.insist(place, number).await
            {
                return Ok(link);
            }
            Link::open(&self.reach, self.source.find().await?, number).await
        };
        let mut named = self.named.clone();
        tokio::select! {
            biased;
            opened = timeout(self.reach.options.connect_within, open) => match opened {
                Ok(Ok(link)) => Attempt::Made(Arc::new(link)),
                Ok(Err(cause)) => Attempt::Failed(cause),
                Err(_) => Attempt::Failed(silence()),
            },
            place = another(&mut named, current.as_ref()) => {
                self.named = named;
                self.next = Some(place);
                Attempt::Interrupted
            }
        }
    }

    /// Connects to a server that was named a moment ago, and may need a few more to become the master.
    async fn insist(&self, place: Place, number: LinkNumber) -> Option<Link> {
        for _ in 0..PROMOTION_LOOKS {
            if let Ok(link) = Link::open(&self.reach, place.clone(), number).await {
                return Some(link);
            }
            sleep(BETWEEN_PROMOTION_LOOKS).await;
        }
        None
    }

    /// Serves with a connection until it is no good any more.
    async fn serve(&mut self, link: Arc<Link>) {
        tracing::info!(server = %link.place(), "connected to the redis master");
        link.tell(&self.reach, LinkEvent::Made);
        self.state.send_replace(State::Up(link.clone()));
        self.changes.send_modify(|changes| *changes += 1);
        let failure = tokio::select! {
            failure = link.watch_over(&self.reach) => failure,
            place = another(&mut self.named, Some(link.place())) => Failure::Moved(place),
        };
        tracing::warn!(server = %link.place(), reason = %failure, "gave up the connection to the redis master");
        self.state.send_replace(State::Down(Outage::begin()));
        link.pause.leave();
        link.tell(&self.reach, LinkEvent::Lost);
        if let Failure::Moved(place) = failure {
            self.next = Some(place);
        }
    }

    /// Notes why there is no connection, and says so once in each outage.
    fn note(&self, cause: RedisError) {
        self.state.send_if_modified(|state| {
            if let State::Down(outage) = state {
                if outage.cause.is_none() {
                    tracing::warn!(%cause, "no redis master is within reach");
                }
                outage.cause = Some(cause);
            }
            false
        });
    }

    async fn pause(&mut self, pause: Duration) {
        if let Ok(place) = timeout(pause, another(&mut self.named, None)).await {
            self.next = Some(place);
        }
    }
}

/// What an attempt to connect came to.
enum Attempt {
    Made(Arc<Link>),
    Failed(RedisError),
    /// Somebody else was named as the master.
    Interrupted,
}

/// The next place that is named as the master and is not `current`.
async fn another(named: &mut watch::Receiver<Option<Place>>, current: Option<&Place>) -> Place {
    loop {
        if named.changed().await.is_err() {
            // Nobody is left who could name one.
            std::future::pending::<()>().await;
        }
        let place = named.borrow_and_update().clone();
        if let Some(place) = place.filter(|place| Some(place) != current) {
            return place;
        }
    }
}

pub(super) fn silence() -> RedisError {
    std::io::Error::new(std::io::ErrorKind::TimedOut, "the server does not answer").into()
}

/// Between half and one and a half of a pause, so that processes do not come all at once.
pub(super) fn jittered(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.5 + f64::from(random) / f64::from(u32::MAX))
}
