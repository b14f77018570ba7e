//! The operations that a retry must find.
//!
//! A set asked for twice is harmless, for its stamp tells. An update is not: its condition no longer holds, be it
//! because the update itself was applied or because another came first. So the record remembers its latest updates.
//!
//! **Invariant.** At most [`KEPT`] operations, sorted: those with the latest stamps. The greatest of a union is a
//! join, so copies agree on what they remember.

use crate::stamp::Stamp;

/// How many are remembered.
pub(crate) const KEPT: usize = 16;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operations(Vec<Stamp>);

impl Operations {
    pub(crate) const NONE: Self = Self(Vec::new());
    pub(crate) const WEIGHT_OF_ONE: usize = 16;

    /// From a sorted list that a peer or a disk gave, `None` where it is not one.
    pub(crate) fn from_sorted(stamps: Vec<Stamp>) -> Option<Self> {
        let fits = stamps.len() <= KEPT && stamps.windows(2).all(|pair| pair[0] < pair[1]);
        fits.then_some(Self(stamps))
    }

    pub(crate) fn as_slice(&self) -> &[Stamp] {
        &self.0
    }

    pub(crate) fn contains(&self, operation: Stamp) -> bool {
        self.as_slice().binary_search(&operation).is_ok()
    }

    /// Whether `operation`, which is not among the remembered, may have been among the forgotten.
    pub(crate) fn may_have_forgotten(&self, operation: Stamp) -> bool {
        self.as_slice().len() == KEPT && self.as_slice().first().is_some_and(|first| operation < *first)
    }

    pub(crate) fn remember(&mut self, operation: Stamp) {
        if let Err(at) = self.0.binary_search(&operation) {
            self.0.insert(at, operation);
            if self.0.len() > KEPT {
                self.0.remove(0);
            }
        }
    }

    pub(crate) fn join(&mut self, other: &Self) {
        for operation in other.as_slice() {
            self.remember(*operation);
        }
    }

    pub(crate) fn weight(&self) -> usize {
        self.as_slice().len() * Self::WEIGHT_OF_ONE
    }
}
