//! What time it is, for deadlines: the median of the members' clocks.
//!
//! **Invariant.** One clock that is wrong moves no deadline. A node that has not heard the clocks of a majority lately does
//! not judge deadlines at all; it could not commit anything either. Where fewer than three clocks are left, none can be
//! outvoted: so a clock that jumps is read as if it had not, until the median of three says what time it is.

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

/// This node's own clock.
#[derive(Debug, Default)]
pub(crate) struct OwnClock {
    /// What it showed last, and when.
    seen: Option<(Timestamp, Duration)>,
    /// By how many milliseconds it jumped ahead.
    ahead: i64,
    /// Whether it was ever compared with another one. A node that was always alone has no clock but its own.
    is_compared: bool,
}

/// By how many milliseconds the first is later, where that is more than clocks may be off.
fn jump(one: Timestamp, other: Timestamp) -> i64 {
    let by = one.as_millis() as i64 - other.as_millis() as i64;
    if by.unsigned_abs() > OFF_BY.as_millis() as u64 { by } else { 0 }
}

impl Node {
    /// Looks at this node's own clock: it goes as fast as the monotonic one, or it jumped.
    pub(crate) fn read_clock(&mut self) {
        let (wall, elapsed) = (self.now.wall, self.now.elapsed);
        if let Some((seen, at)) = self.clock.seen.filter(|_| self.clock.is_compared) {
            self.clock.ahead += jump(wall, seen + elapsed.saturating_sub(at));
        }
        self.clock.seen = Some((wall, elapsed));
    }

    /// What this node's own clock would show had it not jumped.
    pub(crate) fn own_clock(&self) -> Timestamp {
        let millis = self.now.wall.as_millis() as i64 - self.clock.ahead;
        Timestamp::from_millis(millis.max(0) as u64)
    }

    fn readings(&self) -> SmallVec<[Timestamp; 10]> {
        let now = self.now.elapsed;
        let mut readings = SmallVec::from_slice(&[self.own_clock()]);
        for id in &self.beats_with {
            let reading = self.peers.get(id).and_then(|peer| peer.wall);
            readings.extend(reading.and_then(|(wall, at)| {
                let age = now.saturating_sub(at);
                (age <= FRESH).then(|| wall + age)
            }));
        }
        readings.sort_unstable();
        readings
    }

    /// The cluster's time, `None` where it cannot be told.
    pub(crate) fn judged_now(&self) -> Option<Timestamp> {
        if self.is_broken(Variant::OwnClock) {
            return Some(self.now.wall);
        }
        let readings = self.readings();
        let clocks = self.beats_with.len() + 1;
        // As many as may be wrong are taken for being ahead: where some are silent, a deadline is rather late than early.
        let wrong = clocks - majority(clocks);
        let last = readings.len() - 1;
        let at = (last / 2).min(last.saturating_sub(wrong));
        let judged = if self.settings.one_clock { self.now.wall } else { readings[at] };
        (readings.len() >= majority(clocks)).then_some(judged)
    }

    /// By how many milliseconds this node's clock is ahead of the cluster's time.
    #[cfg_attr(not(feature = "transport"), allow(dead_code, reason = "the store asks"))]
    pub(crate) fn ahead(&self) -> i64 {
        self.judged_now().map_or(0, |now| self.now.wall.as_millis() as i64 - now.as_millis() as i64)
    }

    /// Compares this node's clock with the others'.
    pub(crate) fn compare_clocks(&mut self) {
        let readings = self.readings().len();
        self.clock.is_compared |= readings > 1;
        if let Some(now) = self.judged_now().filter(|_| readings > 2) {
            self.clock.ahead = jump(self.now.wall, now);
        }
    }

    /// Whether this node's clock is too far from the others'.
    pub(crate) fn is_clock_off(&self) -> bool {
        self.judged_now().is_some_and(|now| jump(self.now.wall, now) != 0)
    }
}
