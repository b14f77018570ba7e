//! The links to peers, by address.
//!
//! **Invariant.** There is one task for each address, and no more than a bound of them.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::fmt;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::frame::Kind;
use super::queue::Queue;
use super::settings::Limits;

#[derive(Debug)]
pub(super) struct Links {
    queues: Mutex<HashMap<SocketAddr, Arc<Queue>>>,
    limits: Limits,
}

/// Why bytes go nowhere. The protocol takes it as it takes a message that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Unsent {
    /// There are more than a frame may have.
    TooLarge,
    /// The peer does not take what it is sent as fast: its link was dropped, with so many messages, this one included.
    Shed(usize),
    /// There are as many links as there may be.
    TooManyLinks,
    /// The address is beyond loopback, and there is neither a secret nor a certificate.
    Insecure,
    /// The address is this process's own.
    Itself,
}

impl fmt::Display for Unsent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::TooLarge => "more bytes than a frame may have",
            Self::Shed(_) => "the peer is too slow, its link was dropped",
            Self::TooManyLinks => "there are as many links as there may be",
            Self::Insecure => "an address beyond loopback, without a secret or a certificate",
            Self::Itself => "an address of this process",
        })
    }
}

impl std::error::Error for Unsent {}

impl Links {
    pub(super) fn new(limits: Limits) -> Self {
        Self { queues: Mutex::default(), limits }
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<SocketAddr, Arc<Queue>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds to the queue of an address, and answers it. The first frame starts its task.
    pub(super) fn push(
        &self,
        to: SocketAddr,
        kind: Kind,
        payload: Bytes,
        start: impl FnOnce(Arc<Queue>),
    ) -> Result<Arc<Queue>, Unsent> {
        if payload.len() > self.limits.frame {
            return Err(Unsent::TooLarge);
        }
        let mut queues = self.queues();
        let count = queues.len();
        let queue = match queues.entry(to) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(_) if count >= self.limits.links => return Err(Unsent::TooManyLinks),
            Entry::Vacant(free) => {
                let queue = Arc::new(Queue::new(self.limits.queue_frames, self.limits.queue_bytes));
                start(queue.clone());
                free.insert(queue)
            }
        };
        queue.push(kind, payload).map_err(Unsent::Shed)?;
        Ok(queue.clone())
    }

    /// Forgets an address, unless something waits for it again: its task ends.
    pub(super) fn forget(&self, address: SocketAddr) -> bool {
        let mut queues = self.queues();
        let is_idle = queues.get(&address).is_some_and(|queue| queue.is_empty());
        if is_idle {
            queues.remove(&address);
        }
        is_idle
    }
}
