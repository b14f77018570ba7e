//! What time it is, for deadlines: the median of the members' clocks.
//!
//! **Invariant.** One clock that is wrong moves no deadline. A node that has not heard the clocks of a majority lately does
//! not judge deadlines at all; it could not commit anything either. Where fewer than three clocks are left, none can be
//! outvoted: then what they agreed on before, carried on by the monotonic clock, is one more.

use std::time::Duration;

use abide_core::Timestamp;
use smallvec::SmallVec;

use super::node::Node;
use super::slots::majority;
use super::variant::Variant;

/// How old a reading of a peer's clock may be.
const FRESH: Duration = Duration::from_secs(3);
/// By how much a clock may be off before its node says that it is not ready.
pub(crate) const OFF_BY: Duration = Duration::from_secs(60);

impl Node {
    /// The cluster's time, `None` where it cannot be told.
    pub(crate) fn judged_now(&self) -> Option<Timestamp> {
        if self.is_broken(Variant::OwnClock) {
            return Some(self.now.wall);
        }
        let now = self.now.elapsed;
        let mut readings: SmallVec<[Timestamp; 10]> = SmallVec::from_slice(&[self.now.wall]);
        let mut clocks = self.beats_with.len() + 1;
        if let Some((agreed, at)) = self.agreed.filter(|_| clocks < 3) {
            readings.push(agreed + now.saturating_sub(at));
            clocks += 1;
        }
        for id in &self.beats_with {
            let reading = self.peers.get(id).and_then(|peer| peer.wall);
            readings.extend(reading.and_then(|(wall, at)| {
                let age = now.saturating_sub(at);
                (age <= FRESH).then(|| wall + age)
            }));
        }
        readings.sort_unstable();
        // As many as may be wrong are taken for being ahead: where some are silent, a deadline is rather late than early.
        let wrong = clocks - majority(clocks);
        let last = readings.len() - 1;
        let at = (last / 2).min(last.saturating_sub(wrong));
        (readings.len() >= majority(clocks)).then(|| readings[at])
    }

    /// Remembers what several clocks agree on, for when fewer are left.
    pub(crate) fn agree(&mut self) {
        if !self.beats_with.is_empty() {
            self.agreed = self.judged_now().map(|time| (time, self.now.elapsed)).or(self.agreed);
        }
    }

    /// Whether this node's clock is too far from the others'.
    pub(crate) fn is_clock_off(&self) -> bool {
        self.judged_now()
            .is_some_and(|now| now.since(self.now.wall) > OFF_BY || self.now.wall.since(now) > OFF_BY)
    }
}
