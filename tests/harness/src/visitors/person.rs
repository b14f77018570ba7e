//! One session, and what its reads may show.

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

/// Between what a number may be. It only grows.
#[derive(Debug, Default)]
pub(super) struct Bounds {
    /// Answered, or seen.
    least: AtomicU64,
    /// Asked for.
    most: AtomicU64,
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

    /// A number was answered or seen.
    pub(super) fn saw(&self, number: u64) {
        self.least.fetch_max(number, Ordering::SeqCst);
    }
}
