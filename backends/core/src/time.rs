//! Time as the contract sees it: milliseconds since the Unix epoch, from a clock that is passed in.
//!
//! No store and no layer asks the operating system for the time by itself; each is given a [`Clock`], so that a
//! test moves time by hand with [`ManualClock`].

use std::fmt;
use std::num::NonZeroU64;
use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A moment, in milliseconds since the Unix epoch.
///
/// Arithmetic saturates: a moment never wraps and never panics.
///
/// ```
/// use abide_core::Timestamp;
/// use std::time::Duration;
///
/// let start = Timestamp::from_millis(1_000);
/// let later = start + Duration::from_secs(2);
/// assert_eq!(later.as_millis(), 3_000);
/// assert_eq!(later.since(start), Duration::from_secs(2));
/// assert_eq!(start.since(later), Duration::ZERO);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(
    // One more than the milliseconds, so that an `Option` of a moment takes no room of its own: records hold many.
    NonZeroU64,
);

impl Timestamp {
    /// The latest moment that a [`Stamp`](crate::Stamp) can carry, about the year 10 889.
    pub const MAX: Self = Self(NonZeroU64::MIN.saturating_add((1 << 48) - 1));

    /// The moment `millis` milliseconds after the Unix epoch; beyond [`Timestamp::MAX`] it is that.
    #[must_use]
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.as_millis() { Self::MAX } else { Self(NonZeroU64::MIN.saturating_add(millis)) }
    }

    /// Milliseconds since the Unix epoch.
    #[must_use]
    pub const fn as_millis(self) -> u64 {
        self.0.get() - 1
    }

    /// How long ago `earlier` was, zero where it is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.as_millis().saturating_sub(earlier.as_millis()))
    }

    /// The moment `duration` before this one, not before the epoch.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_sub(whole_millis(duration)))
    }
}

impl Default for Timestamp {
    /// The epoch.
    fn default() -> Self {
        Self::from_millis(0)
    }
}

/// As its milliseconds.
impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(self.as_millis())
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        u64::deserialize(deserializer).map(Self::from_millis)
    }
}

/// A duration in whole milliseconds, saturating.
pub(crate) fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self::from_millis(self.as_millis().saturating_add(whole_millis(duration)))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ms", self.as_millis())
    }
}

impl From<SystemTime> for Timestamp {
    fn from(time: SystemTime) -> Self {
        Self::from_millis(whole_millis(time.duration_since(UNIX_EPOCH).unwrap_or_default()))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(time: Timestamp) -> Self {
        UNIX_EPOCH + Duration::from_millis(time.as_millis())
    }
}

/// Where the time comes from.
///
/// `now` is called on hot paths: it must not block. It should not run backwards, but nothing here breaks when it
/// does: the order of writes comes from [`Stamps`](crate::Stamps), which never run backwards.
pub trait Clock: Send + Sync + fmt::Debug + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;

    /// The time as it was a moment ago: behind [`now`](Clock::now) by ten milliseconds at the most, never ahead of it,
    /// and cheaper where the system has such a reading. For what is judged by the second, on hot paths.
    fn recent(&self) -> Timestamp {
        self.now()
    }
}

/// The clock of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    /// The time of the kernel's last tick, which is read without asking the hardware.
    #[cfg(target_os = "linux")]
    fn recent(&self) -> Timestamp {
        use rustix::time::{ClockId, clock_gettime};

        let time = clock_gettime(ClockId::RealtimeCoarse);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let millis = u64::try_from(time.tv_nsec).unwrap_or_default() / 1_000_000;
        Timestamp::from_millis(seconds.saturating_mul(1_000).saturating_add(millis))
    }
}

/// A clock that stands still until it is told to move.
///
/// ```
/// use abide_core::{Clock, ManualClock, Timestamp};
/// use std::time::Duration;
///
/// let clock = ManualClock::at(Timestamp::from_millis(5_000));
/// clock.advance(Duration::from_secs(1));
/// assert_eq!(clock.now(), Timestamp::from_millis(6_000));
/// ```
#[derive(Debug, Default)]
pub struct ManualClock(AtomicU64);

impl ManualClock {
    /// A clock that shows `start`.
    #[must_use]
    pub fn at(start: Timestamp) -> Self {
        Self(AtomicU64::new(start.as_millis()))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.set(self.now() + by);
    }

    /// Sets the clock, also backwards.
    pub fn set(&self, to: Timestamp) {
        self.0.store(to.as_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        let early = Timestamp::from_millis(5);
        assert_eq!(early.before(Duration::MAX), Timestamp::default());
        assert_eq!(Timestamp::from_millis(u64::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_recent_time_is_a_little_behind_and_never_ahead() {
        for _ in 0..1_000 {
            let (recent, now) = (SystemClock.recent(), SystemClock.now());
            assert!(recent <= now, "{recent:?} is ahead of {now:?}");
            assert!(now.since(recent) < Duration::from_secs(1), "{recent:?} is far behind {now:?}");
        }
    }

    #[test]
    fn a_time_before_the_epoch_is_the_epoch() {
        let before = UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before), Timestamp::default());
    }
}
