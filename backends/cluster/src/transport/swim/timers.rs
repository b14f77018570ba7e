//! What foca wants to be told later.
//!
//! **Invariant.** Timers come in the order of their times, and those of one time in the order in which they were set: a
//! process that was paused for long gives them to foca as if it had not been.

use std::collections::BTreeMap;
use std::time::Duration;

use foca::Timer;

use super::peer::Peer;

#[derive(Debug, Default)]
pub(super) struct Timers {
    waiting: BTreeMap<(Duration, u64), Timer<Peer>>,
    set: u64,
}

impl Timers {
    pub(super) fn set(&mut self, at: Duration, timer: Timer<Peer>) {
        self.set += 1;
        self.waiting.insert((at, self.set), timer);
    }

    pub(super) fn next(&self) -> Option<Duration> {
        self.waiting.keys().next().map(|(at, _)| *at)
    }

    /// The first one that is due.
    pub(super) fn due(&mut self, now: Duration) -> Option<Timer<Peer>> {
        self.next().filter(|at| *at <= now)?;
        self.waiting.pop_first().map(|(_, timer)| timer)
    }
}
