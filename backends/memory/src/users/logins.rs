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

/// **Invariant.** Not empty, but for the time of one call of [`Users`](super::Users).
#[derive(Debug)]
pub(super) enum Logins {
    /// The usual one, which counts.
    One(SessionKey, Timestamp),
    /// None, or a list.
    More(Option<Box<List>>),
}

type Entry = (SessionKey, Login);

/// Any number.
#[derive(Debug)]
pub(super) enum List {
    /// In the order of the keys.
    Few(Vec<Entry>),
    Many(BTreeMap<SessionKey, Login>),
}

impl Default for Logins {
    fn default() -> Self {
        Self::More(None)
    }
}

impl Logins {
    pub(super) fn is_empty(&self) -> bool {
        matches!(self, Self::More(None))
    }

    pub(super) fn get(&self, key: &SessionKey) -> Option<Login> {
        match self {
            Self::One(own, at) => (own == key).then_some(Login { at: *at, outnumbered: false }),
            Self::More(list) => list.as_ref()?.get(key).copied(),
        }
    }

    /// Puts a login in, in place of an earlier one of the same session.
    pub(super) fn put(&mut self, key: SessionKey, login: Login) {
        match self {
            Self::More(None) if !login.outnumbered => *self = Self::One(key, login.at),
            Self::One(own, at) if *own == key && !login.outnumbered => *at = login.at,
            _ => self.edit(|list| list.put(key, login)),
        }
    }

    pub(super) fn remove(&mut self, key: &SessionKey) {
        match self {
            Self::One(own, _) if own == key => *self = Self::default(),
            Self::One(..) => {}
            Self::More(_) => self.edit(|list| list.remove(key)),
        }
    }

    /// Changes them as a list.
    fn edit(&mut self, change: impl FnOnce(&mut List)) {
        let mut list = match std::mem::take(self) {
            Self::One(key, at) => Box::new(List::Few(vec![(key, Login { at, outnumbered: false })])),
            Self::More(list) => list.unwrap_or_else(|| Box::new(List::Few(Vec::new()))),
        };
        change(&mut list);
        *self = match &*list {
            List::Few(few) => match few[..] {
                [] => Self::More(None),
                [(key, Login { at, outnumbered: false })] => Self::One(key, at),
                _ => Self::More(Some(list)),
            },
            List::Many(_) => Self::More(Some(list)),
        };
    }

    /// In the order of the keys.
    fn iter(&self) -> impl Iterator<Item = (SessionKey, Login)> {
        let (one, list) = match self {
            Self::One(key, at) => (Some((*key, Login { at: *at, outnumbered: false })), None),
            Self::More(list) => (None, list.as_deref()),
        };
        let (few, many) = match list {
            Some(List::Few(few)) => (Some(few), None),
            Some(List::Many(many)) => (None, Some(many)),
            None => (None, None),
        };
        let few = few.into_iter().flatten().copied();
        one.into_iter().chain(few).chain(many.into_iter().flatten().map(|(key, login)| (*key, *login)))
    }

    /// Up to `limit` keys after `after`, in their order.
    pub(super) fn keys(&self, after: Option<SessionKey>, limit: usize) -> Vec<SessionKey> {
        use std::ops::Bound::{Excluded, Unbounded};
        if let Self::More(Some(list)) = self {
            if let List::Many(many) = &**list {
                let start = after.map_or(Unbounded, Excluded);
                return many.range((start, Unbounded)).map(|(key, _)| *key).take(limit).collect();
            }
        }
        let keys = self.iter().map(|(key, _)| key);
        keys.filter(|key| after.is_none_or(|after| *key > after)).take(limit).collect()
    }

    /// How many there are, those left out that are about to be ended.
    pub(super) fn count(&self) -> usize {
        self.iter().filter(|(_, login)| !login.outnumbered).count()
    }

    /// Marks the oldest logins beside `own`, so that no more than `limit` count. Answers which.
    pub(super) fn outnumber(&mut self, own: &SessionKey, limit: usize) -> Vec<SessionKey> {
        let excess = self.count().saturating_sub(limit);
        if excess == 0 {
            return Vec::new();
        }
        let others = self.iter().filter(|(key, login)| key != own && !login.outnumbered);
        let mut oldest: Vec<_> = others.map(|(key, login)| (login.at, key)).collect();
        oldest.sort_unstable();
        oldest.truncate(excess);
        for (at, key) in &oldest {
            self.put(*key, Login { at: *at, outnumbered: true });
        }
        oldest.into_iter().map(|(_, key)| key).collect()
    }
}

impl List {
    fn get(&self, key: &SessionKey) -> Option<&Login> {
        match self {
            Self::Few(few) => few.binary_search_by_key(key, |(key, _)| *key).ok().map(|at| &few[at].1),
            Self::Many(many) => many.get(key),
        }
    }

    fn put(&mut self, key: SessionKey, login: Login) {
        match self {
            Self::Few(few) => match few.binary_search_by_key(&key, |(key, _)| *key) {
                Ok(at) => few[at].1 = login,
                Err(at) if few.len() < FEW => few.insert(at, (key, login)),
                Err(_) => *self = Self::Many(few.drain(..).chain([(key, login)]).collect()),
            },
            Self::Many(many) => drop(many.insert(key, login)),
        }
    }

    fn remove(&mut self, key: &SessionKey) {
        match self {
            Self::Few(few) => few.retain(|(own, _)| own != key),
            Self::Many(many) => {
                many.remove(key);
                // Not at once where it would be a tree again after the next login.
                if many.len() <= FEW / 2 {
                    *self = Self::Few(std::mem::take(many).into_iter().collect());
                }
            }
        }
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
        assert_eq!(size_of::<Logins>(), 24);
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
                prop_assert_eq!(logins.get(&key(n)), model.get(&key(n)).copied());
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
