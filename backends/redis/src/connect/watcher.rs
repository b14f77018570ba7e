//! Who hears what happens to the shared connections: what a cache on invalidations needs.

use std::fmt;
use std::sync::Arc;

use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{Pipeline, PushInfo, RedisResult};
use tokio::time::Instant;

/// Which shared connection: each new one of an address has a higher number, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct LinkNumber(pub u64);

/// What happens to a shared connection to a master.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum LinkEvent {
    /// A connection was made and greeted; nobody uses it yet.
    Made(LinkNumber),
    /// The server pushed something.
    Pushed(PushInfo),
    /// A heartbeat was answered: whatever the server pushed over that connection before `sent` was heard.
    Heard {
        /// Over which connection.
        over: LinkNumber,
        /// When it was asked.
        sent: Instant,
    },
    /// The connection is given up. Nobody uses it any more once this returns, but for what was sent before.
    Lost(LinkNumber),
}

/// Hears what happens to the shared connections, and greets each new one. Those of lanes are not among them.
#[derive(Clone)]
pub struct Watcher {
    greeting: Pipeline,
    hear: Arc<dyn Fn(LinkEvent) + Send + Sync>,
}

impl Watcher {
    /// `greeting` is sent on each new connection before anything else, and must succeed; `hear` must not wait. With a
    /// watcher the connections speak RESP3.
    pub fn new(greeting: Pipeline, hear: impl Fn(LinkEvent) + Send + Sync + 'static) -> Self {
        Self { greeting, hear: Arc::new(hear) }
    }

    pub(super) fn tell(&self, event: LinkEvent) {
        (self.hear)(event);
    }

    pub(super) fn pushes(&self) -> impl AsyncPushSender + 'static {
        let hear = self.hear.clone();
        move |push: PushInfo| {
            hear(LinkEvent::Pushed(push));
            Ok::<(), std::convert::Infallible>(())
        }
    }

    pub(super) async fn greet(&self, connection: &mut MultiplexedConnection) -> RedisResult<()> {
        if self.greeting.is_empty() { Ok(()) } else { self.greeting.exec_async(connection).await }
    }
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watcher").finish_non_exhaustive()
    }
}
