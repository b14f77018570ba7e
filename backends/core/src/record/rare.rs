//! What most eras have nothing of: together it takes a pointer's room.

use super::{Operations, Unknown};
use crate::stamp::Stamp;

/// **Invariant.** There is a box only where it holds something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rare(Option<Box<Held>>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Held {
    operations: Operations,
    unknown: Unknown,
}

static NO_OPERATIONS: Operations = Operations::NONE;
static NOTHING_UNKNOWN: Unknown = Unknown::NONE;

impl Rare {
    pub(crate) fn new(operations: Operations, unknown: Unknown) -> Self {
        let is_empty = operations.as_slice().is_empty() && unknown.is_empty();
        Self((!is_empty).then(|| Held { operations, unknown }.into()))
    }

    /// The operations that a retry must find.
    pub(crate) fn operations(&self) -> &Operations {
        self.0.as_ref().map_or(&NO_OPERATIONS, |held| &held.operations)
    }

    pub(crate) fn remember(&mut self, operation: Stamp) {
        let empty = || Held { operations: Operations::NONE, unknown: Unknown::NONE }.into();
        self.0.get_or_insert_with(empty).operations.remember(operation);
    }

    /// Fields of newer versions that belong to the era: they end with it.
    pub(crate) fn unknown(&self) -> &Unknown {
        self.0.as_ref().map_or(&NOTHING_UNKNOWN, |held| &held.unknown)
    }

    pub(crate) fn join(&self, other: &Self) -> Self {
        let mut operations = self.operations().clone();
        operations.join(other.operations());
        Self::new(operations, self.unknown().join(other.unknown()))
    }

    pub(crate) fn weight(&self) -> usize {
        self.operations().weight() + self.unknown().weight()
    }
}
