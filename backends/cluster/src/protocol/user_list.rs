//! The list of a user: which sessions they may have, and since when logins count.
//!
//! **Invariants.**
//! 1. Copies join by the greater of each register: of the barrier, and of each login its deadline and its kind. The join is
//!    associative, commutative and idempotent.
//! 2. Each login is in the list once, in the order of sessions and times; [`MAX_LOGINS`] at the most.
//! 3. A login goes a while after its deadline, or because somebody saw its session without it; never because the
//!    session was not found. So a live session with a user is in that user's list.
//!
//! The list is a hint to where sessions are: whoever reads it looks at each session.

use std::time::Duration;

use abide_core::users::{BARRIER_STANDS, Entry};
use abide_core::{Error, ErrorKind, SessionKey, Timestamp};
use serde::{Deserialize, Serialize};

/// How many logins one user may have at a time: a list moves whole, so it must not grow without bound.
pub const MAX_LOGINS: usize = 10_000;
/// How long a login outlives its deadline: as far apart as the clocks of two servers may be.
const LINGER: Duration = Duration::from_secs(60);
/// What every list begins with: what it is, and which version of it.
const HEAD: [u8; 2] = [0xAC, 1];
/// The longest list that is read, in bytes: what a newer version adds included.
const MAX_BYTES: usize = 1 << 20;

/// How far a login is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Its session does not show it yet.
    UnderWay,
    /// Its session showed it.
    Settled,
    /// Later logins took its place: it counts no more, and is about to be ended.
    Outnumbered,
}

/// A login that is listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Which one.
    pub entry: Entry,
    /// Until when its session may live.
    pub deadline: Timestamp,
    /// How far it is.
    pub kind: Kind,
}

impl Listed {
    fn join(&mut self, other: &Self) {
        self.deadline = self.deadline.max(other.deadline);
        self.kind = self.kind.max(other.kind);
    }
}

/// From when on logins count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Barrier {
    not_before: Timestamp,
    /// Then no request that began before it is under way any more.
    stands_until: Timestamp,
}

/// The list of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UserList {
    barrier: Option<Barrier>,
    /// In the order of their entries.
    logins: Vec<Listed>,
    /// What a newer version added behind: kept byte for byte as long as there is anything else.
    newer: Box<[u8]>,
}

impl UserList {
    /// Its logins, in the order of sessions and times.
    pub fn logins(&self) -> impl Iterator<Item = &Listed> {
        self.logins.iter()
    }

    /// From when on logins count.
    #[must_use]
    pub fn not_before(&self) -> Option<Timestamp> {
        self.barrier.map(|barrier| barrier.not_before)
    }

    /// The sessions that may be the user's, in the order of their keys.
    #[must_use]
    pub fn sessions(&self) -> Vec<SessionKey> {
        let mut keys: Vec<SessionKey> = self.logins.iter().map(|listed| listed.entry.key).collect();
        keys.dedup();
        keys
    }

    /// The logins that count.
    #[must_use]
    pub fn settled(&self) -> Vec<Entry> {
        let settled = self.logins.iter().filter(|listed| listed.kind == Kind::Settled);
        settled.map(|listed| listed.entry).collect()
    }

    /// Whether nothing is left of it.
    pub(crate) fn is_empty(&self) -> bool {
        self.barrier.is_none() && self.logins.is_empty()
    }

    /// Whether the barrier is in the way of a request that began then.
    pub(super) fn refuses(&self, began: Option<Timestamp>) -> bool {
        self.not_before().zip(began).is_some_and(|(barrier, began)| began < barrier)
    }

    pub(super) fn get(&self, entry: &Entry) -> Option<&Listed> {
        self.place(entry).ok().map(|at| &self.logins[at])
    }

    fn place(&self, entry: &Entry) -> Result<usize, usize> {
        self.logins.binary_search_by_key(entry, |listed| listed.entry)
    }

    /// Puts a login in; one that is there gets the greater of each register.
    pub(super) fn put(&mut self, listed: Listed) -> Result<(), Error> {
        match self.place(&listed.entry) {
            Ok(at) => self.logins[at].join(&listed),
            Err(_) if self.logins.len() >= MAX_LOGINS => {
                let detail = format!("the user has {MAX_LOGINS} sessions, which is the most");
                return Err(Error::new(ErrorKind::Full, detail));
            }
            Err(at) => self.logins.insert(at, listed),
        }
        Ok(())
    }

    pub(super) fn retain(&mut self, stays: impl FnMut(&Listed) -> bool) {
        self.logins.retain(stays);
    }

    /// Raises the barrier.
    pub(super) fn raise(&mut self, not_before: Timestamp) {
        let raised = Barrier { not_before, stands_until: not_before + BARRIER_STANDS };
        self.barrier = joined(self.barrier, Some(raised));
    }

    /// Whether a part of it has had its time.
    pub(super) fn is_due(&self, now: Timestamp) -> bool {
        self.barrier.is_some_and(|barrier| is_past(barrier.stands_until, now))
            || self.logins.iter().any(|listed| is_past(listed.deadline, now))
    }

    /// Drops what has had its time.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        self.barrier = self.barrier.filter(|barrier| !is_past(barrier.stands_until, now));
        self.logins.retain(|listed| !is_past(listed.deadline, now));
    }

    /// What two copies of one generation know together.
    #[must_use]
    pub(crate) fn join(&self, other: &Self) -> Self {
        let mut logins = Vec::with_capacity(self.logins.len().max(other.logins.len()));
        let (mut ours, mut theirs) = (&self.logins[..], &other.logins[..]);
        while let ([one, one_rest @ ..], [two, two_rest @ ..]) = (ours, theirs) {
            let mut least = if one.entry <= two.entry { *one } else { *two };
            if one.entry == two.entry {
                least.join(one);
                least.join(two);
            }
            ours = if one.entry <= two.entry { one_rest } else { ours };
            theirs = if two.entry <= one.entry { two_rest } else { theirs };
            logins.push(least);
        }
        logins.extend_from_slice(ours);
        logins.extend_from_slice(theirs);
        let newer = self.newer.clone().max(other.newer.clone());
        Self { barrier: joined(self.barrier, other.barrier), logins, newer }
    }

    /// Its bytes: a head, the barrier, the logins, and what a newer version added.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Plain data into a vector cannot fail; nothing would be refused by the reader.
        let mut bytes = postcard::to_extend(&(self.barrier, &self.logins), HEAD.to_vec()).unwrap_or_default();
        bytes.extend_from_slice(&self.newer);
        bytes
    }

    /// A list from its bytes. What stands behind all that this version knows is kept.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Error> {
        let corrupt = |detail: &'static str| Error::new(ErrorKind::Corrupt, detail);
        if bytes.len() > MAX_BYTES {
            return Err(corrupt("a list of a user that is too long to be read"));
        }
        let rest = bytes.strip_prefix(&HEAD).ok_or_else(|| corrupt("not a list of a user"))?;
        let ((barrier, logins), newer): ((Option<Barrier>, Vec<Listed>), &[u8]) =
            postcard::take_from_bytes(rest)
                .map_err(|e| corrupt("a list of a user that cannot be read").with_source(e))?;
        let in_order = logins.windows(2).all(|pair| pair[0].entry < pair[1].entry);
        if !in_order {
            return Err(corrupt("a list of a user that is out of order"));
        }
        Ok(Self { barrier, logins, newer: newer.into() })
    }
}

fn is_past(deadline: Timestamp, now: Timestamp) -> bool {
    deadline + LINGER <= now
}

fn joined(one: Option<Barrier>, two: Option<Barrier>) -> Option<Barrier> {
    match (one, two) {
        (Some(one), Some(two)) => Some(Barrier {
            not_before: one.not_before.max(two.not_before),
            stands_until: one.stands_until.max(two.stands_until),
        }),
        (one, two) => one.or(two),
    }
}

#[cfg(test)]
mod tests {
    use fastrand::Rng;
    use proptest::prelude::*;
    use proptest::sample::Index;

    use super::*;
    use crate::protocol::samples::user_list;

    /// Three lists that may be copies of one.
    fn three(seed: u64) -> [UserList; 3] {
        let mut rng = Rng::with_seed(seed);
        std::array::from_fn(|_| {
            let newer = [&b""[..], b"a", b"b"][rng.usize(..3)].into();
            UserList { newer, ..user_list(&mut rng) }
        })
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn listed(n: u32, deadline: u64) -> Listed {
        let mut key = [0; 16];
        key[..4].copy_from_slice(&n.to_be_bytes());
        let entry = Entry { key: SessionKey::from_bytes(key), login: at(1) };
        Listed { entry, deadline: at(deadline), kind: Kind::Settled }
    }

    proptest! {
        #[test]
        fn the_join_is_associative_commutative_and_idempotent(seed: u64) {
            let [a, b, c] = three(seed);
            prop_assert_eq!(a.join(&b), b.join(&a));
            prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
            prop_assert_eq!(a.join(&a), a);
        }

        #[test]
        fn a_join_has_every_login_of_both_under_the_later_deadline_and_the_higher_barrier(seed: u64) {
            let [a, b, _] = three(seed);
            let both = a.join(&b);
            for one in a.logins().chain(b.logins()) {
                let found = both.get(&one.entry).expect("it is in there");
                prop_assert!(found.deadline >= one.deadline && found.kind >= one.kind);
            }
            for listed in both.logins() {
                prop_assert!(a.get(&listed.entry).is_some() || b.get(&listed.entry).is_some());
            }
            prop_assert_eq!(both.not_before(), a.not_before().max(b.not_before()));
        }

        #[test]
        fn a_list_is_what_its_bytes_say_and_keeps_what_a_newer_version_added(seed: u64) {
            for list in three(seed) {
                prop_assert_eq!(UserList::decode(&list.encode()).expect("its own bytes"), list);
            }
        }

        #[test]
        fn damaged_bytes_are_refused_or_read_and_never_a_panic(seed: u64, cut: Index, mask in 1_u8..) {
            for list in three(seed) {
                let mut bytes = list.encode();
                let at = cut.index(bytes.len());
                bytes[at] ^= mask;
                for bytes in [&bytes[..], &bytes[..at]] {
                    match UserList::decode(bytes) {
                        Ok(list) => prop_assert_eq!(UserList::decode(&list.encode()).expect("again"), list),
                        Err(error) => prop_assert_eq!(error.kind(), ErrorKind::Corrupt),
                    }
                }
            }
        }
    }

    #[test]
    fn a_list_out_of_order_or_too_long_is_refused() {
        let mut list = UserList { logins: vec![listed(2, 1), listed(1, 1)], ..UserList::default() };
        assert_eq!(UserList::decode(&list.encode()).expect_err("out of order").kind(), ErrorKind::Corrupt);
        list.logins.clear();
        list.newer = vec![0; MAX_BYTES].into();
        assert_eq!(UserList::decode(&list.encode()).expect_err("too long").kind(), ErrorKind::Corrupt);
    }

    #[test]
    fn a_full_list_takes_no_more_logins_and_loses_none() {
        let mut list = UserList::default();
        for n in 0..MAX_LOGINS as u32 {
            list.put(listed(n, 1)).expect("there is room");
        }
        let error = list.put(listed(MAX_LOGINS as u32, 1)).expect_err("it is full");
        assert_eq!(error.kind(), ErrorKind::Full);
        list.put(listed(7, 2)).expect("it is in there");
        assert_eq!((list.logins.len(), list.logins[7].deadline), (MAX_LOGINS, at(2)));
        assert_eq!(UserList::decode(&list.encode()).expect("the largest can be read"), list);
    }

    #[test]
    fn a_login_goes_a_while_after_its_deadline_and_a_barrier_once_it_stood_long_enough() {
        let mut list = UserList::default();
        list.put(listed(1, 1_000)).expect("there is room");
        list.raise(at(500));
        let linger = LINGER.as_millis() as u64;
        for (now, is_due, logins) in [(1_000 + linger - 1, false, 1), (1_000 + linger, true, 0)] {
            assert_eq!(list.is_due(at(now)), is_due);
            list.sweep(at(now));
            assert_eq!(list.logins.len(), logins);
        }
        let stands = 500 + BARRIER_STANDS.as_millis() as u64 + linger;
        for (now, is_empty) in [(stands - 1, false), (stands, true)] {
            assert_eq!(list.is_due(at(now)), is_empty);
            list.sweep(at(now));
            assert_eq!(list.is_empty(), is_empty);
        }
    }

    #[test]
    fn each_session_is_named_once_in_the_order_of_the_keys() {
        let mut list = UserList::default();
        for (n, login) in [(2, 5), (1, 1), (2, 1)] {
            let mut one = listed(n, 1);
            one.entry.login = at(login);
            list.put(one).expect("there is room");
        }
        assert_eq!(list.sessions(), [listed(1, 1).entry.key, listed(2, 1).entry.key]);
    }
}
