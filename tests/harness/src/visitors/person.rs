//! One session, and what its reads may show.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use http::HeaderValue;

/// Somebody who is signed in. Several visitors may act for them at once.
#[derive(Debug)]
pub(super) struct Person {
    pub(super) user: String,
    /// As the last answer that set one left it.
    pub(super) cookie: Mutex<Option<HeaderValue>>,
    /// The counter, by increments.
    pub(super) visits: Bounds,
    /// A number that one visitor sets, higher each time.
    pub(super) page: Bounds,
}

impl Person {
    pub(super) fn new(user: String, cookie: Option<HeaderValue>) -> Self {
        Self { user, cookie: Mutex::new(cookie), visits: Bounds::default(), page: Bounds::default() }
    }
}

/// Between what a number may be. It grows, but for what is left open.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// Answered, or seen.
    least: AtomicU64,
    /// Asked for.
    most: AtomicU64,
    /// Asked for of a server that did not answer: it may carry that out whenever it is itself again, though nobody waits.
    open: Mutex<BTreeSet<u64>>,
}

impl Bounds {
    /// What a read that begins now shows at least.
    pub(super) fn least(&self) -> u64 {
        self.least.load(Ordering::SeqCst)
    }

    /// What a read that ends now shows at most.
    pub(super) fn most(&self) -> u64 {
        self.most.load(Ordering::SeqCst)
    }

    /// One more is asked for. Answers the number that this makes at most.
    pub(super) fn ask(&self) -> u64 {
        self.most.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Whoever was asked to store this number did not answer.
    pub(super) fn leave_open(&self, number: u64) {
        self.open.lock().unwrap().insert(number);
    }

    /// Whether it may take the place of a later number at any time.
    pub(super) fn may_come_late(&self, number: u64) -> bool {
        self.open.lock().unwrap().contains(&number)
    }

    /// A number was answered or seen.
    pub(super) fn saw(&self, number: u64) {
        self.least.fetch_max(number, Ordering::SeqCst);
    }
}
