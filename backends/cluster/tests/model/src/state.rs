//! What there is: nodes with their copies, operations, messages, and what clients were told.

use std::fmt;

/// How many processes there may be, those that are to join included.
pub(crate) const NODES: usize = 4;

/// A set of nodes, one bit each.
pub type Nodes = u8;

/// The nodes of a set.
pub(crate) fn each(nodes: Nodes) -> impl Iterator<Item = u8> + Clone {
    (0..NODES as u8).filter(move |node| nodes & (1 << node) != 0)
}

/// How many are a majority of a set.
pub(crate) fn majority(nodes: Nodes) -> u32 {
    nodes.count_ones() / 2 + 1
}

/// The order of compare-and-commits: a ballot, and the generation that it stored.
pub type Ballot = u8;

/// What is held of the session: which operations it has, or that it ended. Nothing where there is none.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Held {
    /// There is something, if only the memory of an end.
    pub exists: bool,
    /// It is over.
    pub ended: bool,
    /// Which operations it took in, one bit each. None once it is over.
    pub has: u8,
}

impl Held {
    /// A tombstone.
    pub const ENDED: Self = Self { exists: true, ended: true, has: 0 };

    /// A session that took these operations in.
    #[must_use]
    pub fn alive(has: u8) -> Self {
        Self { exists: true, ended: false, has }
    }

    /// Whether it is a session that goes on.
    #[must_use]
    pub fn is_alive(self) -> bool {
        self.exists && !self.ended
    }

    /// Whether nothing is left but that there was something, or was asked for.
    #[must_use]
    pub fn is_tombstone(self) -> bool {
        !self.is_alive()
    }

    /// What two copies of one generation know together.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        if self.ended || other.ended {
            return Self::ENDED;
        }
        Self { exists: self.exists || other.exists, ended: false, has: self.has | other.has }
    }
}

impl fmt::Debug for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.exists, self.ended) {
            (false, _) => f.write_str("nothing"),
            (_, true) => f.write_str("ended"),
            _ => write!(f, "alive{:b}", self.has),
        }
    }
}

/// What an owner holds of the key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cell {
    /// Which ballot stored it.
    pub generation: Ballot,
    /// Nothing lower is stored any more.
    pub promised: Ballot,
    /// The value.
    pub held: Held,
    /// Whether another copy told it, below a promise.
    pub is_hearsay: bool,
    /// In which view all owners are known to have this tombstone.
    pub settled: Option<u8>,
    /// Which operations had begun by then: their messages are dead before the tombstone goes.
    pub began: u8,
}

/// A copy on its way to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Taking {
    /// The view for which it is taken.
    pub target: u8,
    /// Who told theirs.
    pub answered: Nodes,
    /// The join of what was told.
    pub cell: Cell,
}

/// One process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Node {
    /// The last view that it knows, zero before any.
    pub view: u8,
    /// In which view its copy is complete, zero without one.
    pub complete_in: u8,
    /// Its copy.
    pub cell: Cell,
    /// The copy that it takes.
    pub taking: Option<Taking>,
}

/// What an owner told in answer to a question.
pub(crate) type Told = [Option<(Ballot, Held)>; NODES];

/// How far an operation is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Stage {
    /// It did not begin.
    #[default]
    Idle,
    /// It asked what owners hold.
    Reading(Told),
    /// It sent its changes into a generation.
    Writing(Ballot, Told),
    /// It asked for promises.
    Preparing(Ballot, Told),
    /// It stores a value. These have it.
    Storing(Ballot, Held, Nodes),
    /// It was answered.
    Done,
    /// It took too long, and was given up.
    Over,
}

/// One operation of a client, and its coordinator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Operation {
    /// How often it began.
    pub attempts: u8,
    /// Counts the questions: an answer to an earlier one is not taken for one to the last.
    pub round: u8,
    /// In which view it counts.
    pub view: u8,
    /// How far it is.
    pub stage: Stage,
    /// What its answer may not miss: what others were told before it began.
    pub must: Seen,
}

/// What is asked of one owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum What {
    /// What do you hold?
    Read,
    /// Promise this ballot, and tell what you hold.
    Prepare(Ballot),
    /// Store what this ballot decided on.
    Store(Ballot, Held),
    /// Take the operation's changes into this generation.
    Write(Ballot),
}

/// A question on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ask {
    /// Of which operation.
    pub operation: u8,
    /// Of which round of it.
    pub round: u8,
    /// In which view its asker counts.
    pub view: u8,
    /// To whom.
    pub to: u8,
    /// What.
    pub what: What,
}

/// What clients were told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Seen {
    /// That the session has these.
    pub has: u8,
    /// That it is over.
    pub ended: bool,
}

/// The tombstone that one owner asks the others about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Burial {
    /// In which view.
    pub view: u8,
    /// Of which generation it is.
    pub generation: Ballot,
    /// Who has it.
    pub by: Nodes,
}

/// All of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct State {
    /// The processes.
    pub nodes: [Node; NODES],
    /// How many views are chosen.
    pub chosen: u8,
    /// The operations.
    pub operations: Vec<Operation>,
    /// The questions on their way; what never arrives is lost.
    pub asks: Vec<Ask>,
    /// Copies on their way from nodes that go on changing theirs: to whom, for which view, and what was told.
    pub copies: Vec<(u8, u8, Cell)>,
    /// Which ballots were taken, one bit each.
    pub ballots: u16,
    /// A burial under way.
    pub burial: Option<Burial>,
    /// What clients were told.
    pub seen: Seen,
    /// Somebody asked for the end.
    pub is_ending: bool,
    /// How often a process lost its memory, and went on as if nothing was.
    pub amnesias: u8,
    /// An operation was answered with less than it had to be.
    pub broken: bool,
}
