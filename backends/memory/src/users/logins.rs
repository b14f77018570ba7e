//! The logins of one user: in place for one session, a short list for a few, a tree for many.

use std::collections::BTreeMap;

use abide_core::{SessionKey, Timestamp};

/// Up to how many a list is as fast as a tree.
const FEW: usize = 16;

/// What is known of a login beside its session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Login {
    /// When the user proved who they are.
    pub(super) at: Timestamp,
    /// Too many logins came after it: it is about to be ended, and counts no more.
    pub(super) outnumbered: bool,
}

type Entry = (SessionKey, Login);

/// **Invariant.** Not empty, but for the time of one call of [`Users`](super::Users).
#[derive(Debug)]
pub(super) enum Logins {
    One(Entry),
    /// In the order of the keys.
    Few(Vec<Entry>),
    Many(BTreeMap<SessionKey, Login>),
}

impl Default for Logins {
    fn default() -> Self {
        Self::Few(Vec::new())
    }
}

impl Logins {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::Few(few) if few.is_empty())
    }

    pub(super) fn get(&self, key: &SessionKey) -> Option<&Login> {
        match self {
            Self::One((own, login)) => (own == key).then_some(login),
            Self::Few(few) => few.binary_search_by_key(key, |(key, _)| *key).ok().map(|at| &few[at].1),
            Self::Many(many) => many.get(key),
        }
    }

    /// Puts a login in, in place of an earlier one of the same session.
    pub(super) fn put(&mut self, key: SessionKey, login: Login) {
        match self {
            Self::One((own, held)) if *own == key => *held = login,
            Self::One(one) => {
                let mut few = vec![*one, (key, login)];
                few.sort_unstable_by_key(|(key, _)| *key);
                *self = Self::Few(few);
            }
            Self::Few(few) if few.is_empty() => *self = Self::One((key, login)),
            Self::Few(few) => match few.binary_search_by_key(&key, |(key, _)| *key) {
                Ok(at) => few[at].1 = login,
                Err(at) if few.len() < FEW => few.insert(at, (key, login)),
                Err(_) => *self = Self::Many(few.drain(..).chain([(key, login)]).collect()),
            },
            Self::Many(many) => drop(many.insert(key, login)),
        }
    }

    pub(super) fn remove(&mut self, key: &SessionKey) {
        match self {
            Self::One((own, _)) if own == key => *self = Self::default(),
            Self::One(_) => {}
            Self::Few(few) => {
                few.retain(|(own, _)| own != key);
                if let [one] = few[..] {
                    *self = Self::One(one);
                }
            }
            Self::Many(many) => {
                many.remove(key);
                // Not at once where it would be a tree again after the next login.
                if many.len() <= FEW / 2 {
                    *self = Self::Few(std::mem::take(many).into_iter().collect());
                }
            }
        }
    }

    /// Up to `limit` keys after `after`, in their order.
    pub(super) fn keys(&self, after: Option<SessionKey>, limit: usize) -> Vec<SessionKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        let comes = |key: &SessionKey| after.is_none_or(|after| *key > after);
        match self {
            Self::One((key, _)) => Some(*key).filter(comes).into_iter().take(limit).collect(),
            Self::Few(few) => few.iter().map(|(key, _)| *key).filter(comes).take(limit).collect(),
            Self::Many(many) => {
                let start = after.map_or(Unbounded, Excluded);
                many.range((start, Unbounded)).map(|(key, _)| *key).take(limit).collect()
            }
        }
    }

    /// How many there are, those left out that are about to be ended.
    pub(super) fn count(&self) -> usize {
        let counts = |login: &&Login| !login.outnumbered;
        match self {
            Self::One((_, login)) => usize::from(counts(&login)),
            Self::Few(few) => few.iter().map(|(_, login)| login).filter(counts).count(),
            Self::Many(many) => many.values().filter(counts).count(),
        }
    }

    /// Marks the oldest logins beside `own`, so that no more than `limit` count. Answers which.
    pub(super) fn outnumber(&mut self, own: &SessionKey, limit: usize) -> Vec<SessionKey> {
        let excess = self.count().saturating_sub(limit);
        if excess == 0 {
            return Vec::new();
        }
        let other =
            |key: &SessionKey, login: &Login| (key != own && !login.outnumbered).then_some((login.at, *key));
        let mut oldest: Vec<_> = match self {
            Self::One((key, login)) => other(key, login).into_iter().collect(),
            Self::Few(few) => few.iter().filter_map(|(key, login)| other(key, login)).collect(),
            Self::Many(many) => many.iter().filter_map(|(key, login)| other(key, login)).collect(),
        };
        oldest.sort_unstable();
        oldest.truncate(excess);
        for (at, key) in &oldest {
            self.put(*key, Login { at: *at, outnumbered: true });
        }
        oldest.into_iter().map(|(_, key)| key).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(n: u8) -> SessionKey {
        SessionKey::from_bytes([n; 16])
    }

    fn login(at: u64) -> Login {
        Login { at: Timestamp::from_millis(at), outnumbered: false }
    }

    #[test]
    fn an_entry_of_a_user_with_one_session_takes_no_memory_of_its_own() {
        assert_eq!(size_of::<Logins>(), 32);
    }

    proptest! {
        #[test]
        fn every_form_holds_what_a_tree_holds(
            steps in prop::collection::vec((any::<bool>(), 0..40_u8, 0..5_u64), 0..200),
            after in prop::option::of(0..40_u8),
            limit in 1..50_usize,
        ) {
            let (mut logins, mut model) = (Logins::default(), BTreeMap::new());
            for (comes, n, at) in steps {
                if comes {
                    logins.put(key(n), login(at));
                    model.insert(key(n), login(at));
                } else {
                    logins.remove(&key(n));
                    model.remove(&key(n));
                }
                prop_assert_eq!(logins.is_empty(), model.is_empty());
                prop_assert_eq!(logins.count(), model.len());
                prop_assert_eq!(logins.get(&key(n)), model.get(&key(n)));
            }
            let after = after.map(key);
            let keys: Vec<_> = model.keys().copied().filter(|key| Some(*key) > after).take(limit).collect();
            prop_assert_eq!(logins.keys(after, limit), keys);
        }

        #[test]
        fn the_oldest_logins_go_and_never_the_own(
            logins in prop::collection::btree_map(0..40_u8, 0..5_u64, 1..40),
            own in 0..40_u8, limit in 1..10_usize,
        ) {
            let mut held = Logins::default();
            for (n, at) in &logins {
                held.put(key(*n), login(*at));
            }
            held.put(key(own), login(3));
            let mut others: Vec<_> = logins.iter().filter(|(n, _)| **n != own).map(|(n, at)| (*at, key(*n))).collect();
            others.sort();
            let expected: Vec<_> =
                others.iter().take((others.len() + 1).saturating_sub(limit)).map(|(_, key)| *key).collect();
            prop_assert_eq!(held.outnumber(&key(own), limit), expected);
            prop_assert!(held.count() <= limit && !held.get(&key(own)).unwrap().outnumbered);
            prop_assert_eq!(held.outnumber(&key(own), limit), []);
        }
    }
}
