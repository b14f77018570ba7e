//! What is to be checked: views, operations, bounds, and the rule that is left out.

use abide_cluster::protocol::Variant;

use crate::state::{Ballot, Nodes};

/// What a client wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To make the session.
    Create,
    /// To set a value, whatever is there.
    Write,
    /// To change the session by what it is.
    Update,
    /// To see it.
    Read,
    /// To end it.
    End,
}

/// A configuration, small enough for all that may happen in it to be looked at.
#[derive(Clone, Debug)]
pub struct Config {
    /// The owners of the key in each view. Whoever owns it first in a later one is a process that began later.
    pub views: Vec<Nodes>,
    /// What clients want, all at once.
    pub operations: Vec<Kind>,
    /// Whether the session is there from the start, at every owner.
    pub exists: bool,
    /// How often an operation may begin.
    pub attempts: u8,
    /// How many ballots there are. An operation takes any that nobody took: clocks need not agree.
    pub ballots: Ballot,
    /// The rule that is left out.
    pub variant: Option<Variant>,
    /// How often a process may lose its memory and go on under its name: beyond what the protocol does, for a process that
    /// begins again has another id.
    pub amnesias: u8,
}

impl Config {
    /// One view of three owners that hold the session.
    #[must_use]
    pub fn one_view(operations: &[Kind]) -> Self {
        Self {
            views: vec![0b0111],
            operations: operations.to_vec(),
            exists: true,
            attempts: 1,
            ballots: operations.len() as Ballot,
            variant: None,
            amnesias: 0,
        }
    }

    /// The first of three owners is gone in the second view, and one that had nothing is in its place.
    #[must_use]
    pub fn two_views(operations: &[Kind]) -> Self {
        Self::of(&[0b0111, 0b1110], operations)
    }

    /// These own the key, in one view after the other.
    #[must_use]
    pub fn of(views: &[Nodes], operations: &[Kind]) -> Self {
        Self { views: views.to_vec(), ..Self::one_view(operations) }
    }

    /// Lets an operation begin so often.
    #[must_use]
    pub fn attempts(self, attempts: u8) -> Self {
        Self { attempts, ballots: attempts * self.operations.len() as Ballot, ..self }
    }

    /// Begins without the session.
    #[must_use]
    pub fn from_nothing(self) -> Self {
        Self { exists: false, ..self }
    }

    /// Lets a process lose its memory once, and go on under its name.
    #[must_use]
    pub fn with_amnesia(self) -> Self {
        Self { amnesias: 1, ..self }
    }

    /// Leaves a rule out.
    #[must_use]
    pub fn without(self, variant: Variant) -> Self {
        Self { variant: Some(variant), ..self }
    }

    pub(crate) fn is_broken(&self, variant: Variant) -> bool {
        self.variant == Some(variant)
    }

    /// The owners in a view; nobody before the first one.
    pub(crate) fn owners(&self, view: u8) -> Nodes {
        view.checked_sub(1).and_then(|at| self.views.get(usize::from(at))).copied().unwrap_or(0)
    }
}
