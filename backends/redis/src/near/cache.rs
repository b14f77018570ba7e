//! The entries of the near-cache, bounded in bytes.

use std::fmt;
use std::time::{Duration, Instant};

use abide_core::{Loaded, Metric, SessionKey};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::connect::LinkNumber;

use super::counts::{Counts, one_more};
use super::lease::Lease;
use super::marks::{Mark, Marks};

/// What an entry takes beside the weight of its record: key, `Arc`s, eras and the slot in the cache.
const ENTRY_OVERHEAD: u64 = 400;

/// An entry is dropped this long after it was asked for, whatever was or was not heard.
const LONGEST: Duration = Duration::from_secs(30);

/// For the estimate of how many entries there will be.
const USUAL_WEIGHT: u64 = 1024;

#[derive(Clone, Debug)]
struct Entry {
    loaded: Loaded,
    asked: Instant,
}

#[derive(Clone, Debug)]
struct Bytes;

impl Weighter<SessionKey, Entry> for Bytes {
    fn weight(&self, _: &SessionKey, entry: &Entry) -> u64 {
        ENTRY_OVERHEAD + entry.loaded.record.weight() as u64
    }
}

/// What this process read or wrote lately.
pub(crate) struct NearCache {
    entries: Cache<SessionKey, Entry, Bytes>,
    marks: Marks,
    lease: Lease,
    counts: Counts,
}

impl NearCache {
    /// A cache of at most so many bytes.
    pub(crate) fn new(max_bytes: u64) -> Self {
        let estimate = usize::try_from(max_bytes / USUAL_WEIGHT).unwrap_or(usize::MAX).clamp(16, 1 << 20);
        Self {
            entries: Cache::with_weighter(estimate, max_bytes, Bytes),
            marks: Marks::new(),
            lease: Lease::new(Instant::now()),
            counts: Counts::default(),
        }
    }

    /// The session, where it is at hand and may be believed.
    pub(crate) fn get(&self, key: &SessionKey, now: Instant) -> Option<Loaded> {
        let Some(entry) = self.entries.get(key) else {
            one_more(&self.counts.misses);
            return None;
        };
        if !self.lease.holds(now) || now.saturating_duration_since(entry.asked) >= LONGEST {
            one_more(&self.counts.unbelieved);
            return None;
        }
        one_more(&self.counts.hits);
        Some(entry.loaded)
    }

    /// To be taken before the server is asked.
    pub(crate) fn mark(&self, key: &SessionKey) -> Mark {
        self.marks.of(key)
    }

    /// Keeps what the server answered over a connection that tracks, unless something was said to have changed since the
    /// mark, or that connection is no longer the present one.
    pub(crate) fn put(&self, key: &SessionKey, loaded: &Loaded, mark: Mark, over: LinkNumber) {
        let holds = || self.lease.is_present(over) && self.marks.hold(mark);
        if holds() {
            self.entries.insert(*key, Entry { loaded: loaded.clone(), asked: mark.taken });
            if holds() {
                return;
            }
            // Said to have changed between the look and the keeping: the one who said so may have found nothing to drop.
            self.entries.remove(key);
        }
        one_more(&self.counts.passed_over);
    }

    /// A write of this process begins. The server does not tell a connection of its own writes.
    pub(crate) fn writing(&self, key: &SessionKey) -> Writing<'_> {
        self.forget(key);
        Writing { cache: self, key: *key, mark: self.marks.of(key), done: false }
    }

    /// The server says that this session changed.
    pub(crate) fn invalidate(&self, key: &SessionKey) {
        one_more(&self.counts.invalidations);
        self.forget(key);
    }

    /// Forgets everything.
    pub(crate) fn flush(&self) {
        one_more(&self.counts.flushes);
        self.marks.change_all();
        self.entries.clear();
    }

    /// A new connection takes the place of the one before: nothing of that one is believed any longer.
    pub(crate) fn connected(&self, connection: LinkNumber) {
        self.lease.begin(connection);
        self.flush();
    }

    /// The connection is given up.
    pub(crate) fn disconnected(&self, connection: LinkNumber) {
        self.lease.end(connection);
    }

    /// A heartbeat that was sent then was answered.
    pub(crate) fn heard(&self, over: LinkNumber, sent: Instant) {
        self.lease.renew(over, sent);
    }

    pub(crate) fn metrics(&self) -> Vec<Metric> {
        self.counts.metrics()
    }

    fn forget(&self, key: &SessionKey) {
        self.marks.change(key);
        self.entries.remove(key);
    }
}

impl fmt::Debug for NearCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NearCache").field("entries", &self.entries.len()).finish_non_exhaustive()
    }
}

/// A write of this process, from before its sending: the session is not at hand meanwhile. Dropped before it was
/// answered, it leaves nothing behind that was read before it.
#[must_use]
pub(crate) struct Writing<'a> {
    cache: &'a NearCache,
    key: SessionKey,
    mark: Mark,
    done: bool,
}

/// A write that was answered over the connection that tracks.
#[must_use]
pub(crate) struct Answered<'a> {
    writing: Writing<'a>,
    over: LinkNumber,
}

impl<'a> Writing<'a> {
    /// It was answered over that connection.
    pub(crate) fn answered(self, over: LinkNumber) -> Answered<'a> {
        Answered { writing: self, over }
    }
}

impl Answered<'_> {
    /// Keeps what is stored now. To be called only if the command that wrote it read it afterwards, or wrote nothing.
    pub(crate) fn stored(mut self, loaded: &Loaded) {
        let Writing { cache, key, mark, .. } = self.writing;
        // A read that was answered before the write may come to its `put` only now: let its mark no longer hold.
        if let Some(mark) = cache.marks.advance(mark) {
            cache.put(&key, loaded, mark, self.over);
            self.writing.done = true;
        }
    }
}

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.cache.forget(&self.key);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
pub(super) mod tests {
    use std::sync::Arc;

    use abide_core::{NewRecord, Record, Stamps, Timestamp, Token, Version};

    use super::*;

    const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
    const MIB: u64 = 1 << 20;

    pub(in super::super) fn key(n: u8) -> SessionKey {
        SessionKey::from_bytes([n; 16])
    }

    pub(in super::super) fn session(version: u128, value: usize) -> Loaded {
        let stamp = Stamps::new(1).next(START);
        let verifier = Token::from_bytes([7; 32]).verifier();
        let new = NewRecord::new(stamp, [1; 16], verifier, START).value("v", vec![7; value]);
        Loaded::new(Arc::new(Record::create(new)), Version(version))
    }

    /// A cache whose connection was just heard.
    pub(in super::super) fn heard() -> (NearCache, LinkNumber) {
        let cache = NearCache::new(MIB);
        let connection = connected(&cache, 1);
        (cache, connection)
    }

    fn connected(cache: &NearCache, number: u64) -> LinkNumber {
        let connection = LinkNumber(number);
        cache.connected(connection);
        cache.heard(connection, Instant::now());
        connection
    }

    fn version(cache: &NearCache, key: &SessionKey) -> Option<u128> {
        cache.get(key, Instant::now()).map(|loaded| loaded.version.0)
    }

    #[test]
    fn what_was_put_is_at_hand_until_the_server_says_that_it_changed() {
        let (cache, connection) = heard();
        cache.put(&key(1), &session(5, 1), cache.mark(&key(1)), connection);
        assert_eq!(version(&cache, &key(1)), Some(5));
        cache.invalidate(&key(1));
        assert_eq!(version(&cache, &key(1)), None);
    }

    #[test]
    fn an_answer_that_an_invalidation_overtook_is_not_kept() {
        let (cache, connection) = heard();
        let mark = cache.mark(&key(1));
        cache.invalidate(&key(1));
        cache.put(&key(1), &session(5, 1), mark, connection);
        assert_eq!(version(&cache, &key(1)), None);
        assert_eq!(cache.counts.passed_over.into_inner(), 1);
    }

    #[test]
    fn an_answer_over_an_old_connection_is_not_kept() {
        let (cache, old) = heard();
        connected(&cache, 2);
        cache.put(&key(1), &session(5, 1), cache.mark(&key(1)), old);
        assert_eq!(version(&cache, &key(1)), None);
    }

    #[test]
    fn a_new_connection_forgets_what_the_old_one_brought() {
        let (cache, connection) = heard();
        let under_way = cache.mark(&key(2));
        cache.put(&key(1), &session(5, 1), cache.mark(&key(1)), connection);
        let present = connected(&cache, 2);
        cache.put(&key(2), &session(6, 1), under_way, present);
        assert_eq!((version(&cache, &key(1)), version(&cache, &key(2))), (None, None));
    }

    #[test]
    fn a_read_that_was_answered_before_a_write_is_not_kept_after_it() {
        let (cache, connection) = heard();
        let before = cache.mark(&key(1));
        let write = cache.writing(&key(1));
        let during = cache.mark(&key(1));
        write.answered(connection).stored(&session(6, 1));
        cache.put(&key(1), &session(5, 1), before, connection);
        cache.put(&key(1), &session(5, 1), during, connection);
        assert_eq!(version(&cache, &key(1)), Some(6));
    }

    #[test]
    fn a_write_that_was_dropped_leaves_no_read_from_before_it() {
        let (cache, connection) = heard();
        let write = cache.writing(&key(1));
        let during = cache.mark(&key(1));
        cache.put(&key(1), &session(5, 1), during, connection);
        drop(write);
        assert_eq!(version(&cache, &key(1)), None);
        cache.put(&key(1), &session(5, 1), during, connection);
        assert_eq!(version(&cache, &key(1)), None);
    }

    #[test]
    fn of_two_writes_at_once_neither_is_kept() {
        let (cache, connection) = heard();
        let first = cache.writing(&key(1));
        let second = cache.writing(&key(1));
        second.answered(connection).stored(&session(6, 1));
        first.answered(connection).stored(&session(7, 1));
        assert_eq!(version(&cache, &key(1)), None, "nobody here knows which came last");
    }

    #[test]
    fn a_write_during_which_another_process_wrote_is_not_kept() {
        let (cache, connection) = heard();
        let write = cache.writing(&key(1));
        cache.invalidate(&key(1));
        write.answered(connection).stored(&session(6, 1));
        assert_eq!(version(&cache, &key(1)), None);
    }

    #[test]
    fn nothing_is_believed_a_second_after_the_last_heartbeat_that_was_answered() {
        let (cache, connection) = heard();
        let sent = Instant::now();
        cache.heard(connection, sent);
        cache.put(&key(1), &session(5, 1), cache.mark(&key(1)), connection);
        assert!(cache.get(&key(1), sent + Duration::from_millis(990)).is_some());
        assert!(cache.get(&key(1), sent + Duration::from_millis(1000)).is_none());
        cache.heard(connection, sent + Duration::from_millis(1200));
        assert!(
            cache.get(&key(1), sent + Duration::from_millis(1300)).is_some(),
            "healed, and nothing changed"
        );
    }

    #[test]
    fn nothing_is_believed_thirty_seconds_after_it_was_asked_for() {
        let (cache, connection) = heard();
        cache.put(&key(1), &session(5, 1), cache.mark(&key(1)), connection);
        let later = Instant::now() + LONGEST;
        cache.heard(connection, later);
        assert!(cache.get(&key(1), later).is_none());
    }

    #[test]
    fn it_holds_no_more_bytes_than_it_may() {
        let (cache, connection) = heard();
        for n in 0..=255 {
            cache.put(&key(n), &session(1, 10_000), cache.mark(&key(n)), connection);
        }
        assert!(cache.entries.weight() <= MIB, "{} bytes", cache.entries.weight());
        let kept = (0..=255).filter(|n| version(&cache, &key(*n)).is_some()).count();
        assert!((80..=104).contains(&kept), "{kept} sessions of 10 000 bytes in a mebibyte");
    }
}
