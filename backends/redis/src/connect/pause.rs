//! A server that says of itself that it serves nobody: it is asked now and then by one, and not by everybody.
//!
//! The breaker of a [`node`](super::node) is for servers that do not answer. A master of a Cluster that lost its majority, or
//! whose Cluster lacks slots, answers each command with the same refusal, at the price of a trip.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;

/// How long after a refusal the next command is sent.
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
const OPEN: u64 = 0;

/// Lets everybody through, or one now and then.
#[derive(Debug)]
pub(super) struct Pause {
    began: Instant,
    /// Until when nobody is let through, in microseconds from the beginning; [`OPEN`] where there is no pause.
    until: AtomicU64,
}

impl Pause {
    pub(super) fn none() -> Self {
        Self { began: Instant::now(), until: AtomicU64::new(OPEN) }
    }

    /// Whether everybody is let through.
    pub(super) fn is_none(&self) -> bool {
        self.until.load(Ordering::Relaxed) == OPEN
    }

    /// Whether one may go on. Of many who ask when the pause is over one may, and the others when its answer is there.
    pub(super) fn lets_through(&self) -> bool {
        let until = self.until.load(Ordering::Relaxed);
        if until == OPEN {
            return true;
        }
        let now = self.now();
        let next = now + micros(BETWEEN_LOOKS);
        now >= until && self.until.compare_exchange(until, next, Ordering::Relaxed, Ordering::Relaxed).is_ok()
    }

    /// The server refused.
    pub(super) fn begin(&self) {
        self.until.store(self.now() + micros(BETWEEN_LOOKS), Ordering::Relaxed);
    }

    /// The server did what it was asked.
    pub(super) fn end(&self) {
        if self.until.load(Ordering::Relaxed) != OPEN {
            self.until.store(OPEN, Ordering::Relaxed);
        }
    }

    fn now(&self) -> u64 {
        micros(self.began.elapsed())
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn after_a_refusal_one_is_let_through_at_a_time_until_one_is_served() {
        let pause = Pause::none();
        assert!(pause.lets_through() && pause.lets_through());
        pause.begin();
        assert!(!pause.lets_through());
        for _ in 0..3 {
            tokio::time::advance(BETWEEN_LOOKS).await;
            assert_eq!([pause.lets_through(), pause.lets_through()], [true, false]);
        }
        pause.end();
        assert!(pause.lets_through() && pause.lets_through());
    }
}
