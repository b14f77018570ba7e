//! What a store counts about itself.

use std::sync::atomic::{AtomicU64, Ordering};

use abide_core::Metric;

/// A number of events since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, events: usize) {
        self.0.fetch_add(events as u64, Ordering::Relaxed);
    }

    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// Looks at a session in the server.
    pub(crate) looks: Count,
    /// Commits that went together with another one of their session.
    pub(crate) combined: Count,
    /// Commits that were merged again, for another process was faster.
    pub(crate) races: Count,
    /// Ends that fewer replicas have than were waited for.
    pub(crate) ends_fell_short: Count,
    /// Tombstones that were written again after a change of master.
    pub(crate) ends_written_again: Count,
}

impl Counts {
    pub(crate) fn metrics(&self, ends_remembered: usize) -> Vec<Metric> {
        let counter = |name, help, count: &Count| -> Metric { Metric::counter(name, help, count.now()) };
        vec![
            counter("looks", "Looks at a session in Redis", &self.looks),
            counter("combined_commits", "Commits that went together with another one", &self.combined),
            counter("races", "Commits merged again, for another process was faster", &self.races),
            counter("ends_fell_short", "Ends that too few replicas have", &self.ends_fell_short),
            counter("ends_written_again", "Ends written again to a new master", &self.ends_written_again),
            Metric::gauge("ends_remembered", "Ends that this process remembers", ends_remembered as u64),
        ]
    }
}
