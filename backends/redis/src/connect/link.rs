//! One connection to one server, and its health.

use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::Notify;
use tokio::time::error::Elapsed;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::batch::Batches;
use super::node::jittered;
use super::pause::Pause;
use super::pool::Taken;
use super::target::{Opened, Place, Reach};
use super::verdict::{Lost, Verdict, judge};
use super::watcher::{LinkEvent, LinkNumber};

/// This many operations, or heartbeats, without an answer in a row, and a connection is replaced.
const STRIKES: u32 = 3;
/// How long after a refusal a server is asked again, where it refused everybody or had too few replicas.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// The count of replicas where the server does not tell.
const UNKNOWN: usize = usize::MAX;

/// A connection to a server that was a master when it began.
pub(super) struct Link {
    connection: MultiplexedConnection,
    _taken: Option<Taken>,
    batches: Arc<Batches>,
    /// Whether what happens to it is told.
    watched: bool,
    place: Place,
    number: LinkNumber,
    strikes: AtomicU32,
    replicas: AtomicUsize,
    pub(super) pause: Pause,
    failed: Notify,
    /// That somebody needs more replicas than there were.
    wanting: Notify,
}

impl Link {
    /// Connects, and asks the server whether it is a master.
    pub(super) async fn open(reach: &Reach, place: Place, number: LinkNumber) -> RedisResult<Self> {
        let Opened { connection, watched, taken } = reach.open(&place).await?;
        let link = Self {
            connection,
            _taken: taken,
            batches: Arc::default(),
            watched,
            place,
            number,
            strikes: AtomicU32::new(0),
            replicas: AtomicUsize::new(UNKNOWN),
            pause: Pause::none(),
            failed: Notify::new(),
            wanting: Notify::new(),
        };
        link.check().await?;
        Ok(link)
    }

    /// Sends commands and waits for their replies.
    pub(super) async fn send(&self, commands: &Pipeline, deadline: Instant) -> Result<Vec<Value>, Lost> {
        let mut connection = self.connection.clone();
        let sent = connection.send_packed_commands(commands, 0, commands.len());
        self.note(timeout_at(deadline, sent).await)
    }

    /// Sends one command, with others that are asked for at the same time, and waits for its reply.
    pub(super) async fn send_one(&self, command: Cmd, deadline: Instant) -> Result<Value, Lost> {
        self.note(timeout_at(deadline, self.batches.send(&self.connection, command)).await)
    }

    /// Notes what an answer, or that there is none, says about the connection.
    fn note<T>(&self, answered: Result<RedisResult<T>, Elapsed>) -> Result<T, Lost> {
        match answered {
            Ok(Ok(reply)) => {
                // Hardly ever there are any: no core takes the line from another.
                if self.strikes.load(Ordering::Relaxed) != 0 {
                    self.strikes.store(0, Ordering::Relaxed);
                }
                Ok(reply)
            }
            Ok(Err(error)) => {
                self.fail();
                Err(Lost::Broken(error))
            }
            Err(_) => {
                if self.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES {
                    self.fail();
                }
                Err(Lost::TimedOut)
            }
        }
    }

    /// Has the connection replaced.
    pub(super) fn fail(&self) {
        self.failed.notify_one();
    }

    /// Its number, where what happens to it is told.
    pub(super) fn watched(&self) -> Option<LinkNumber> {
        self.watched.then_some(self.number)
    }

    /// Tells what happened to it.
    pub(super) fn tell(&self, reach: &Reach, event: impl FnOnce(LinkNumber) -> LinkEvent) {
        if let (Some(number), Some(watcher)) = (self.watched(), &reach.options.watcher) {
            watcher.tell(event(number));
        }
    }

    /// Which connection of its node it is.
    pub(super) fn number(&self) -> LinkNumber {
        self.number
    }

    pub(super) fn place(&self) -> &Place {
        &self.place
    }

    /// How many replicas the server had at the last heartbeat, if it tells.
    pub(super) fn replicas(&self) -> Option<usize> {
        Some(self.replicas.load(Ordering::Relaxed)).filter(|replicas| *replicas != UNKNOWN)
    }

    /// Has the replicas counted again soon: somebody was refused for want of them.
    pub(super) fn count_again(&self) {
        self.wanting.notify_one();
    }

    /// Returns once the connection is no good any more, and says why.
    pub(super) async fn watch_over(&self, reach: &Reach) -> Failure {
        tokio::select! {
            failure = self.send_heartbeats(reach) => failure,
            never = self.ask_in_pauses(reach.options.heartbeat) => match never {},
        }
    }

    /// Asks a server that refuses everybody until it does not, in place of those who wait.
    async fn ask_in_pauses(&self, within: Duration) -> Infallible {
        loop {
            let key = self.pause.begun().await;
            sleep(jittered(BETWEEN_LOOKS)).await;
            let mut get = Cmd::new();
            get.arg("GET").arg(&*key);
            let reply = self.send_one(get, Instant::now() + within).await;
            if reply.is_ok_and(|reply| judge(&reply) != Verdict::Down) {
                self.pause.end();
            }
        }
    }

    async fn send_heartbeats(&self, reach: &Reach) -> Failure {
        let (every, mut missed) = (reach.options.heartbeat, 0);
        loop {
            // One that was missed took its time already.
            if missed == 0 {
                tokio::select! {
                    () = self.failed.notified() => return Failure::Reported,
                    () = sleep(every) => {}
                    () = self.wanting.notified() => sleep(jittered(BETWEEN_LOOKS)).await,
                }
            }
            let sent = Instant::now();
            let heartbeat = tokio::select! {
                () = self.failed.notified() => return Failure::Reported,
                heartbeat = timeout(every, self.check()) => heartbeat,
            };
            match heartbeat {
                Ok(Ok(())) => {
                    missed = 0;
                    self.tell(reach, |over| LinkEvent::Heard { over, sent });
                }
                Ok(Err(error)) => return Failure::Refused(error),
                Err(_) => missed += 1,
            }
            if missed >= STRIKES {
                return Failure::Silent;
            }
        }
    }

    /// Whether the server serves as a master; also counts its replicas.
    async fn check(&self) -> RedisResult<()> {
        let mut connection = self.connection.clone();
        let mut questions = Pipeline::with_capacity(2);
        questions.cmd("PING").cmd("ROLE");
        let answers = connection.send_packed_commands(&questions, 0, 2).await?;
        let [ping, role] = answers.as_slice() else {
            return Err(client("the server answers something else"));
        };
        if let Value::ServerError(error) = ping
            && error.code() != "NOPERM"
        {
            return Err(error.clone().into());
        }
        self.take_role(role)
    }

    /// A server that does not tell its role, or may not, is taken for a master: READONLY says otherwise.
    fn take_role(&self, role: &Value) -> RedisResult<()> {
        let Value::Array(role) = role else { return Ok(()) };
        match role.as_slice() {
            [Value::BulkString(name), _, Value::Array(replicas)] if name == b"master" => {
                self.replicas.store(replicas.len(), Ordering::Relaxed);
                Ok(())
            }
            [Value::BulkString(name), ..] if name != b"master" => Err(client("the server is not a master")),
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("place", &self.place)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Why a connection is given up.
#[derive(Debug)]
pub(super) enum Failure {
    /// An operation met a broken connection, a server that is no master, or a silence.
    Reported,
    /// A heartbeat was refused, or the connection broke.
    Refused(RedisError),
    /// Heartbeats were not answered.
    Silent,
    /// Somebody else is the master now.
    Moved(Place),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reported => f.write_str("an operation failed on it"),
            Self::Refused(error) => error.fmt(f),
            Self::Silent => f.write_str("it does not answer"),
            Self::Moved(place) => write!(f, "the sentinels name {place}"),
        }
    }
}

fn client(text: &'static str) -> RedisError {
    (redis::ErrorKind::Client, text).into()
}
