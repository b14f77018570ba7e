//! One master, whichever server it is at the moment: connects, watches over the connection, and refuses meanwhile.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::time::Duration;

use abide_core::{Error, ErrorKind};
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, ConnectionInfo, Pipeline, RedisError, RedisResult, Value};
use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::LinkOptions;
use super::verdict::Lost;

/// This many operations, or heartbeats, without an answer in a row, and a connection is replaced.
const STRIKES: u32 = 3;
/// Commands that may wait to be written into a connection.
const QUEUE: usize = 1024;
const FIRST_BACKOFF: Duration = Duration::from_millis(20);
const LONGEST_BACKOFF: Duration = Duration::from_millis(250);

/// One master. Dropping it lets go of the connection.
pub(super) struct Node {
    state: watch::Receiver<State>,
    patience: Duration,
    task: AbortHandle,
}

#[derive(Clone)]
enum State {
    Down(Instant),
    Up(Arc<Link>),
}

/// A connection to a server that was a master when it began.
pub(super) struct Link {
    connection: MultiplexedConnection,
    server: ConnectionInfo,
    health: Health,
}

struct Health {
    number: u64,
    strikes: AtomicU32,
    replicas: AtomicUsize,
    failed: Notify,
}

impl Node {
    /// Begins to connect, and goes on for as long as the answer lives. `changes` counts the connections made.
    pub(super) fn start(server: ConnectionInfo, options: &LinkOptions, changes: watch::Sender<u64>) -> Self {
        let (sender, state) = watch::channel(State::Down(Instant::now()));
        let keeper = Keeper { server, options: options.clone(), state: sender, changes };
        let task = tokio::spawn(keeper.keep()).abort_handle();
        Self { state, patience: options.patience, task }
    }

    /// The connection; waits for one while the outage is young.
    pub(super) async fn link(&self, deadline: Instant) -> Result<Arc<Link>, Error> {
        let since = match &*self.state.borrow() {
            State::Up(link) => return Ok(link.clone()),
            State::Down(since) => *since,
        };
        let until = deadline.min(since + self.patience);
        if Instant::now() >= until {
            return Err(away());
        }
        let mut state = self.state.clone();
        let up = timeout_at(until, state.wait_for(|state| matches!(state, State::Up(_)))).await;
        match up {
            Ok(Ok(state)) => match &*state {
                State::Up(link) => Ok(link.clone()),
                State::Down(_) => Err(away()),
            },
            _ => Err(away()),
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
        f.debug_struct("Node").field("up", &self.now().is_some()).finish_non_exhaustive()
    }
}

fn away() -> Error {
    Error::new(ErrorKind::Unavailable, "no redis master is within reach")
}

impl Link {
    /// Sends commands and waits for their replies.
    pub(super) async fn send(&self, commands: &Pipeline, deadline: Instant) -> Result<Vec<Value>, Lost> {
        let mut connection = self.connection.clone();
        let sent = connection.send_packed_commands(commands, 0, commands.len());
        match timeout_at(deadline, sent).await {
            Ok(Ok(replies)) => {
                self.health.strikes.store(0, Ordering::Relaxed);
                Ok(replies)
            }
            Ok(Err(error)) => {
                self.fail();
                Err(Lost::Broken(error))
            }
            Err(_) => {
                self.strike();
                Err(Lost::TimedOut)
            }
        }
    }

    /// Has the connection replaced.
    pub(super) fn fail(&self) {
        self.health.failed.notify_one();
    }

    fn strike(&self) {
        if self.health.strikes.fetch_add(1, Ordering::Relaxed) + 1 >= STRIKES {
            self.fail();
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.health.number
    }

    pub(super) fn server(&self) -> &ConnectionInfo {
        &self.server
    }

    /// How many replicas the server had at the last heartbeat.
    pub(super) fn replicas(&self) -> usize {
        self.health.replicas.load(Ordering::Relaxed)
    }
}

/// Keeps one connection.
struct Keeper {
    server: ConnectionInfo,
    options: LinkOptions,
    state: watch::Sender<State>,
    changes: watch::Sender<u64>,
}

impl Keeper {
    async fn keep(self) {
        let mut backoff = FIRST_BACKOFF;
        loop {
            match timeout(self.options.connect_within, self.open()).await {
                Ok(Ok(link)) => {
                    let link = Arc::new(link);
                    backoff = FIRST_BACKOFF;
                    self.state.send_replace(State::Up(link.clone()));
                    self.changes.send_modify(|changes| *changes += 1);
                    self.watch_over(&link).await;
                    self.state.send_replace(State::Down(Instant::now()));
                }
                Ok(Err(_)) | Err(_) => {
                    sleep(backoff).await;
                    backoff = (backoff * 2).min(LONGEST_BACKOFF);
                }
            }
        }
    }

    async fn open(&self) -> RedisResult<Link> {
        let connection = connect(&self.server, &self.options).await?;
        let number = *self.changes.borrow() + 1;
        let health = Health {
            number,
            strikes: AtomicU32::new(0),
            replicas: AtomicUsize::new(0),
            failed: Notify::new(),
        };
        let link = Link { connection, server: self.server.clone(), health };
        self.check(&link).await?;
        Ok(link)
    }

    /// Whether the server serves as a master; also counts its replicas.
    async fn check(&self, link: &Link) -> RedisResult<()> {
        let mut connection = link.connection.clone();
        redis::cmd("PING").exec_async(&mut connection).await?;
        let role = redis::cmd("ROLE").query_async::<Vec<Value>>(&mut connection).await;
        let Ok(role) = role else { return Ok(()) };
        if matches!(role.first(), Some(Value::BulkString(name)) if name != b"master") {
            return Err(RedisError::from((redis::ErrorKind::Client, "the server is no master")));
        }
        if let Some(Value::Array(replicas)) = role.get(2) {
            link.health.replicas.store(replicas.len(), Ordering::Relaxed);
        }
        Ok(())
    }

    /// Returns once the connection is no good any more.
    async fn watch_over(&self, link: &Link) {
        let mut missed = 0;
        while missed < STRIKES {
            tokio::select! {
                () = link.health.failed.notified() => return,
                () = sleep(self.options.heartbeat) => {}
            }
            match timeout(self.options.heartbeat, self.check(link)).await {
                Ok(Ok(())) => missed = 0,
                Ok(Err(_)) => return,
                Err(_) => missed += 1,
            }
        }
    }
}

pub(super) async fn connect(
    server: &ConnectionInfo,
    options: &LinkOptions,
) -> RedisResult<MultiplexedConnection> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(options.connect_within))
        .set_response_timeout(None)
        .set_pipeline_buffer_size(QUEUE);
    Client::open(server.clone())?.get_multiplexed_async_connection_with_config(&config).await
}
