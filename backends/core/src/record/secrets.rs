//! The secrets of an era by generation: pending, confirmed, grace.
//!
//! An era opens with one secret, generation 0, which is confirmed. A periodic renewal adds the next generation as
//! *pending*: the client may or may not have received it. Once the client presents it, it is *confirmed*, and every
//! older one is good for a grace from then on. A response that got lost therefore logs nobody out.
//!
//! **Invariant.** At most [`KEPT`] entries, newest first, the highest generations ever seen: the greatest of a union
//! is a join, so no merge brings back one that was dropped.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Few;
use crate::time::Timestamp;
use crate::token::Verifier;

/// How many are kept.
pub(crate) const KEPT: usize = 4;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SecretEntry {
    pub(crate) generation: u32,
    pub(crate) verifier: Verifier,
    pub(crate) minted: Timestamp,
    /// When the client first presented it.
    pub(crate) confirmed: Option<Timestamp>,
}

impl SecretEntry {
    /// The join of two entries of one generation: the earlier confirmation, and, where two were minted against the
    /// rules, the greater verifier.
    fn join(self, other: Self) -> Self {
        let winner = if self.verifier >= other.verifier { self } else { other };
        Self {
            confirmed: match (self.confirmed, other.confirmed) {
                (Some(one), Some(two)) => Some(one.min(two)),
                (one, two) => one.or(two),
            },
            minted: if self.verifier == other.verifier {
                self.minted.min(other.minted)
            } else {
                winner.minted
            },
            ..winner
        }
    }
}

/// What a presented secret is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum SecretState {
    /// The one that the client is known to use.
    Current,
    /// A newer one, presented for the first time: the commit that follows should confirm this generation.
    Pending(u32),
    /// An older one, within its grace.
    Grace,
    /// An older one after its grace: refused, and a sign of a copied token.
    Stale,
    /// None that this session has.
    Unknown,
}

impl SecretState {
    /// Whether the secret opens the session.
    #[must_use]
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Current | Self::Pending(_) | Self::Grace)
    }
}

/// The secrets of an era.
///
/// The newest lies in the record itself: most sessions have one, and every request checks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secrets(Few<SecretEntry>);

impl Secrets {
    pub(crate) fn first(verifier: Verifier, at: Timestamp) -> Self {
        let first = SecretEntry { generation: 0, verifier, minted: at, confirmed: Some(at) };
        Self(Few::One(first))
    }

    /// From entries that a peer or a disk gave, `None` where they break the invariant.
    pub(crate) fn from_newest_first(entries: Vec<SecretEntry>) -> Option<Self> {
        let ordered = entries.windows(2).all(|pair| pair[0].generation > pair[1].generation);
        (ordered && !entries.is_empty() && entries.len() <= KEPT).then(|| Self(entries.into()))
    }

    pub(crate) fn as_slice(&self) -> &[SecretEntry] {
        &self.0
    }

    /// What a secret with this verifier is worth at `now`, where older ones have `grace` after a confirmation.
    #[must_use]
    pub fn check(&self, verifier: Verifier, now: Timestamp, grace: Duration) -> SecretState {
        let Some(at) = self.0.iter().position(|entry| entry.verifier == verifier) else {
            return SecretState::Unknown;
        };
        let replaced = self.0[..at].iter().filter_map(|newer| newer.confirmed).min();
        match (replaced, self.0[at].confirmed) {
            (Some(since), _) if now < since + grace => SecretState::Grace,
            (Some(_), _) => SecretState::Stale,
            (None, Some(_)) => SecretState::Current,
            (None, None) => SecretState::Pending(self.0[at].generation),
        }
    }

    /// The newest generation.
    #[must_use]
    pub fn newest(&self) -> u32 {
        self.0[0].generation
    }

    /// When the newest secret was minted.
    #[must_use]
    pub fn newest_minted(&self) -> Timestamp {
        self.0[0].minted
    }

    /// Whether one more may be minted without dropping the one that the client is known to use.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.0.iter().take(KEPT - 1).any(|entry| entry.confirmed.is_some())
    }

    /// Adds a pending secret after the generation `from`, unless there is one already.
    pub(crate) fn renew(&mut self, from: u32, verifier: Verifier, minted: Timestamp) {
        if self.newest() == from && self.has_room() {
            self.0.insert(
                0,
                SecretEntry { generation: from.saturating_add(1), verifier, minted, confirmed: None },
            );
            self.0.edit(|entries| entries.truncate(KEPT));
        }
    }

    pub(crate) fn confirm(&mut self, generation: u32, at: Timestamp) {
        if let Some(entry) = self.0.iter_mut().find(|entry| entry.generation == generation) {
            entry.confirmed.get_or_insert(at);
        }
    }

    pub(crate) fn join(&mut self, other: &Self) {
        for theirs in other.0.iter() {
            match self.0.iter_mut().find(|ours| ours.generation == theirs.generation) {
                Some(ours) => *ours = ours.join(*theirs),
                None => self.0.insert(0, *theirs),
            }
        }
        self.0.sort_by_key(|entry| std::cmp::Reverse(entry.generation));
        self.0.edit(|entries| entries.truncate(KEPT));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn verifier(n: u8) -> Verifier {
        Verifier::from_bytes([n; 16])
    }

    #[test]
    fn a_lost_response_logs_nobody_out() {
        let mut secrets = Secrets::first(verifier(0), at(0));
        secrets.renew(0, verifier(1), at(10));
        assert_eq!(secrets.check(verifier(0), at(99_999), GRACE), SecretState::Current);
        assert_eq!(secrets.check(verifier(1), at(11), GRACE), SecretState::Pending(1));
    }

    #[test]
    fn a_confirmed_secret_leaves_the_older_one_a_grace() {
        let mut secrets = Secrets::first(verifier(0), at(0));
        secrets.renew(0, verifier(1), at(10));
        secrets.confirm(1, at(20));
        assert_eq!(secrets.check(verifier(1), at(21), GRACE), SecretState::Current);
        assert_eq!(secrets.check(verifier(0), at(49), GRACE), SecretState::Grace);
        assert_eq!(secrets.check(verifier(0), at(50), GRACE), SecretState::Stale);
        assert_eq!(secrets.check(verifier(9), at(50), GRACE), SecretState::Unknown);
    }

    #[test]
    fn of_two_renewals_one_mints() {
        let mut secrets = Secrets::first(verifier(0), at(0));
        secrets.renew(0, verifier(1), at(10));
        secrets.renew(0, verifier(2), at(10));
        assert_eq!(secrets.newest(), 1);
        assert_eq!(secrets.check(verifier(2), at(10), GRACE), SecretState::Unknown);
    }

    #[test]
    fn renewals_whose_responses_are_all_lost_never_drop_the_secret_in_use() {
        let mut secrets = Secrets::first(verifier(0), at(0));
        for generation in 0..9 {
            secrets.renew(generation, verifier(generation as u8 + 1), at(10));
        }
        assert_eq!(secrets.as_slice().len(), KEPT);
        assert_eq!(secrets.check(verifier(0), at(99), GRACE), SecretState::Current);
    }
}
