//! Stamps: the order of writes, whatever the wall clocks say.
//!
//! A [`Stamp`] is a hybrid logical clock reading and the writer that took it. A writer's stamps only grow, and each is
//! later than every stamp that the writer saw in the record, so a write that knows of another comes after it even
//! where the other's clock was ahead. Two writers never make the same stamp, so a stamp also names its operation.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

/// Bits of the counter that orders writes within one millisecond.
const COUNTER_BITS: u32 = 16;

/// How far ahead of the clock that judges it a stamp may be before it is refused.
pub const MAX_AHEAD: Duration = Duration::from_secs(60);

/// A point in the order of writes, and the identity of the operation that took it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Stamp {
    /// Milliseconds in the upper 48 bits, a counter below.
    time: u64,
    writer: u64,
}

impl Stamp {
    /// Before every stamp that a writer makes.
    pub const ZERO: Self = Self { time: 0, writer: 0 };

    /// The earliest stamp of a moment.
    #[must_use]
    pub const fn floor(at: Timestamp) -> Self {
        Self { time: at.as_millis() << COUNTER_BITS, writer: 0 }
    }

    /// The wall-clock part.
    #[must_use]
    pub const fn at(self) -> Timestamp {
        Timestamp::from_millis(self.time >> COUNTER_BITS)
    }

    /// The writer that took it.
    #[must_use]
    pub const fn writer(self) -> u64 {
        self.writer
    }

    /// The stamp as 16 bytes that sort as it does.
    #[must_use]
    pub fn to_bytes(self) -> [u8; 16] {
        ((u128::from(self.time) << 64) | u128::from(self.writer)).to_be_bytes()
    }

    /// The inverse of [`Stamp::to_bytes`].
    #[must_use]
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        let whole = u128::from_be_bytes(bytes);
        Self { time: (whole >> 64) as u64, writer: whole as u64 }
    }
}

impl fmt::Debug for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counter = self.time & ((1 << COUNTER_BITS) - 1);
        write!(f, "{}.{counter}@{:x}", self.at().as_millis(), self.writer)
    }
}

/// Makes the stamps of one writer. One for each process; the writer's number must be unique among those that
/// write the same store (64 random bits are).
///
/// ```
/// use abide_core::{Stamps, Timestamp};
///
/// let stamps = Stamps::new(1);
/// let now = Timestamp::from_millis(100);
/// let first = stamps.next(now);
/// assert!(stamps.next(now) > first, "also within one millisecond");
/// assert!(stamps.next(Timestamp::from_millis(50)) > first, "also when the clock ran back");
/// ```
#[derive(Debug)]
pub struct Stamps {
    writer: u64,
    last: AtomicU64,
}

impl Stamps {
    /// The stamps of `writer`.
    #[must_use]
    pub fn new(writer: u64) -> Self {
        Self { writer, last: AtomicU64::new(0) }
    }

    /// A stamp later than all that this writer made.
    pub fn next(&self, now: Timestamp) -> Stamp {
        self.next_after(now, Stamp::ZERO)
    }

    /// A stamp later than all that this writer made, and later than `seen`, the latest that it saw.
    pub fn next_after(&self, now: Timestamp, seen: Stamp) -> Stamp {
        let floor = Stamp::floor(now).time.max(seen.time.saturating_add(1));
        let previous = self
            .last
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| {
                Some(floor.max(last.saturating_add(1)))
            })
            .unwrap_or_else(|last| last);
        Stamp { time: floor.max(previous.saturating_add(1)), writer: self.writer }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_is_later_than_one_seen_from_a_clock_that_is_ahead() {
        let ahead = Stamps::new(2).next(Timestamp::from_millis(9_000));
        let own = Stamps::new(1).next_after(Timestamp::from_millis(10), ahead);
        assert!(own > ahead);
    }

    #[test]
    fn bytes_keep_the_order() {
        let stamps = Stamps::new(u64::MAX);
        let low = stamps.next(Timestamp::from_millis(1));
        let high = Stamps::new(0).next(Timestamp::from_millis(2));
        assert!(low.to_bytes() < high.to_bytes());
        assert_eq!(Stamp::from_bytes(low.to_bytes()), low);
    }
}
