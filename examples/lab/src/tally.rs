//! What is counted in a run.
//!
//! An **update** is one write of a key or one increment. It is *acknowledged* when it was answered 2xx, and *lost* when
//! the user later looks and it is not there. A user looks when it had to log in again, and at the end of its journey.
//! Excused, and counted as `killed`, is what went with a session whose process was killed, on a store that lives in that
//! process; on any other store nothing is excused. A write without an answer may be there or not; both are fine.

use std::time::Duration;

#[derive(Debug, Default, Clone)]
pub(crate) struct Tally {
    /// Logins that were answered.
    pub(crate) sessions: u64,
    /// Those whose user was no longer known, or taken for another.
    pub(crate) sessions_lost: u64,
    /// Those of the lost that lived in the killed process.
    pub(crate) sessions_killed: u64,
    /// Those that began on the server that is killed, lost or not.
    pub(crate) sessions_on_killed: u64,
    pub(crate) views_found: u64,
    pub(crate) views_lost: u64,
    /// Views that showed another user: lost, and worse.
    pub(crate) strangers: u64,
    /// Acknowledged ones.
    pub(crate) updates: u64,
    pub(crate) updates_lost: u64,
    pub(crate) updates_killed: u64,
    /// How far counters are above all that was asked for.
    pub(crate) updates_twice: u64,
    /// Counters read back after an increment was acknowledged.
    pub(crate) reads: u64,
    /// Those that did not show it, though the session was still found after.
    pub(crate) reads_stale: u64,
    pub(crate) logouts: u64,
    /// Those that surely met a slow request between its read and its write.
    pub(crate) logouts_raced: u64,
    /// Those after which the session was still known, or that were raced and after which a cookie was back.
    pub(crate) logouts_undone: u64,
    pub(crate) requests: u64,
    /// No answer, or one that no journey expects.
    pub(crate) failures: u64,
    /// The same, from the server that was killed: requests that were in flight.
    pub(crate) cut_off: u64,
    /// Of every request but the slow one, which waits on purpose.
    pub(crate) latencies: Vec<Duration>,
    pub(crate) memory: Vec<Memory>,
    pub(crate) took: Duration,
}

/// The resident memory of one server at its end, where the system tells.
#[derive(Debug, Clone)]
pub(crate) struct Memory {
    pub(crate) server: String,
    pub(crate) bytes: Option<u64>,
    pub(crate) killed: bool,
}

impl Tally {
    pub(crate) fn views(&self) -> u64 {
        self.views_found + self.views_lost
    }

    /// Adds the counts of one journey.
    pub(crate) fn add(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.sessions_lost += other.sessions_lost;
        self.sessions_killed += other.sessions_killed;
        self.sessions_on_killed += other.sessions_on_killed;
        self.views_found += other.views_found;
        self.views_lost += other.views_lost;
        self.strangers += other.strangers;
        self.updates += other.updates;
        self.updates_lost += other.updates_lost;
        self.updates_killed += other.updates_killed;
        self.updates_twice += other.updates_twice;
        self.reads += other.reads;
        self.reads_stale += other.reads_stale;
        self.logouts += other.logouts;
        self.logouts_raced += other.logouts_raced;
        self.logouts_undone += other.logouts_undone;
        self.requests += other.requests;
        self.failures += other.failures;
        self.cut_off += other.cut_off;
        self.latencies.extend(other.latencies);
    }

    /// The latency that this many of a hundred requests stayed within.
    pub(crate) fn percentile(&self, percent: usize) -> Option<Duration> {
        let mut sorted = self.latencies.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100);
        sorted.get(rank.checked_sub(1)?).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_the_latency_that_so_many_stayed_within() {
        let latencies = (1..=200).rev().map(Duration::from_millis).collect();
        let tally = Tally { latencies, ..Tally::default() };
        assert_eq!(tally.percentile(50), Some(Duration::from_millis(100)));
        assert_eq!(tally.percentile(99), Some(Duration::from_millis(198)));
    }

    #[test]
    fn one_request_is_every_percentile_and_none_has_none() {
        let one = Tally { latencies: vec![Duration::from_millis(3)], ..Tally::default() };
        assert_eq!(one.percentile(1), one.percentile(99));
        assert_eq!(Tally::default().percentile(50), None);
    }

    #[test]
    fn journeys_add_up() {
        let one =
            Tally { views_found: 2, views_lost: 1, latencies: vec![Duration::ZERO], ..Tally::default() };
        let mut sum = one.clone();
        sum.add(one);
        assert_eq!((sum.views_found, sum.views_lost, sum.views(), sum.latencies.len()), (4, 2, 6, 2));
    }
}
