//! Where clients leave what they want of the cluster, and find what came of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;

use abide_cluster::protocol::{Answer, Request};
use abide_core::Error;

/// Names what a client wants.
pub(crate) type Ticket = u64;

/// What a client wants, and how long it thinks before it asks.
#[derive(Debug)]
pub(crate) struct Wanted {
    pub(crate) ticket: Ticket,
    pub(crate) request: Request,
}

#[derive(Debug, Default)]
struct Inner {
    last: Ticket,
    wanted: Vec<Wanted>,
    came: BTreeMap<Ticket, Result<Answer, Error>>,
    wakers: BTreeMap<Ticket, Waker>,
    operations: u64,
}

/// Shared by the world and its clients. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Hub(Arc<Mutex<Inner>>);

impl Hub {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn want(&self, request: Request) -> Ticket {
        let ticket = self.ticket();
        self.lock().wanted.push(Wanted { ticket, request });
        ticket
    }

    /// A name for what is asked of one process.
    pub(crate) fn ticket(&self) -> Ticket {
        let mut inner = self.lock();
        inner.last += 1;
        inner.operations += 1;
        inner.last
    }

    pub(crate) fn take_wanted(&self) -> Vec<Wanted> {
        std::mem::take(&mut self.lock().wanted)
    }

    pub(crate) fn came(&self, ticket: Ticket, answer: Result<Answer, Error>) {
        let mut inner = self.lock();
        inner.came.insert(ticket, answer);
        if let Some(waker) = inner.wakers.remove(&ticket) {
            waker.wake();
        }
    }

    pub(crate) fn poll(&self, ticket: Ticket, waker: &Waker) -> Option<Result<Answer, Error>> {
        let mut inner = self.lock();
        let came = inner.came.remove(&ticket);
        if came.is_none() {
            inner.wakers.insert(ticket, waker.clone());
        }
        came
    }

    pub(crate) fn operations(&self) -> u64 {
        self.lock().operations
    }
}
