//! Until when the entries of the near-cache are believed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::connect::LinkNumber;

/// No connection has this number.
const NONE: LinkNumber = LinkNumber(0);

/// Believed while a heartbeat of the present connection that was sent within [`Lease::LENGTH`] is answered.
#[derive(Debug)]
pub(super) struct Lease {
    origin: Instant,
    /// Nanoseconds after `origin`; 0 is never.
    until: AtomicU64,
    /// The number of the present connection. Changed under the lock, so that no answer over the one before renews.
    present: AtomicU64,
    changing: Mutex<()>,
}

impl Lease {
    /// How long an answered heartbeat is good for, from its sending.
    pub(super) const LENGTH: Duration = Duration::from_secs(1);

    pub(super) fn new(origin: Instant) -> Self {
        Self { origin, until: AtomicU64::new(0), present: AtomicU64::new(0), changing: Mutex::new(()) }
    }

    /// Another connection takes the place of the one before, whose lease ends.
    pub(super) fn begin(&self, connection: LinkNumber) {
        let _changing = self.lock();
        self.until.store(0, Ordering::SeqCst);
        self.present.store(connection.0, Ordering::SeqCst);
    }

    /// The connection is given up: without another one in its place yet.
    pub(super) fn end(&self, connection: LinkNumber) {
        if self.is_present(connection) {
            self.begin(NONE);
        }
    }

    /// A heartbeat that was sent then was answered over that connection.
    pub(super) fn renew(&self, over: LinkNumber, sent: Instant) {
        let _changing = self.lock();
        if self.is_present(over) {
            let until = sent.saturating_duration_since(self.origin) + Self::LENGTH;
            self.until.fetch_max(nanos(until), Ordering::SeqCst);
        }
    }

    pub(super) fn holds(&self, now: Instant) -> bool {
        nanos(now.saturating_duration_since(self.origin)) < self.until.load(Ordering::SeqCst)
    }

    pub(super) fn is_present(&self, connection: LinkNumber) -> bool {
        self.present.load(Ordering::SeqCst) == connection.0
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    fn begin(lease: &Lease, number: u64) -> LinkNumber {
        lease.begin(LinkNumber(number));
        LinkNumber(number)
    }

    #[test]
    fn nothing_is_believed_before_the_first_heartbeat_is_answered() {
        let start = Instant::now();
        let lease = Lease::new(start);
        begin(&lease, 1);
        assert!(!lease.holds(start));
    }

    #[test]
    fn a_lease_counts_from_the_sending_of_the_heartbeat_not_from_its_answer() {
        let start = Instant::now();
        let lease = Lease::new(start);
        let connection = begin(&lease, 1);
        lease.renew(connection, start + 100 * MS);
        assert!(lease.holds(start + 1099 * MS));
        assert!(!lease.holds(start + 1100 * MS));
    }

    #[test]
    fn a_late_answer_to_an_early_heartbeat_does_not_shorten_the_lease() {
        let start = Instant::now();
        let lease = Lease::new(start);
        let connection = begin(&lease, 1);
        lease.renew(connection, start + 500 * MS);
        lease.renew(connection, start + 250 * MS);
        assert!(lease.holds(start + 1400 * MS));
    }

    #[test]
    fn an_answer_over_an_old_connection_renews_nothing() {
        let start = Instant::now();
        let lease = Lease::new(start);
        let old = begin(&lease, 1);
        lease.renew(old, start);
        begin(&lease, 2);
        assert!(!lease.holds(start + MS), "a new connection has its own lease");
        lease.renew(old, start + MS);
        assert!(!lease.holds(start + 2 * MS));
    }
}
