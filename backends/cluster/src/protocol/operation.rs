//! The coordinator of an operation: what all kinds have in common.
//!
//! **Invariants.**
//! 1. What is answered about a session is the value of a generation that a majority of the owners stored: never what one
//!    copy happens to hold.
//! 2. An operation of which anything was sent that may be stored ends in an answer that knows it, or as `Ambiguous`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Error, Timestamp};

use super::deeds::Name;
use super::edit::{Edit, Judge};
use super::ids::{Ballot, NodeId};
use super::io::{Answer, Request, RequestId};
use super::message::Terms;
use super::node::Node;
use super::states::States;
use super::value::{Held, Key, Value};
use super::variant::Variant;

/// Names an operation of this node.
pub(crate) type OperationId = u64;

/// How many generations of keys that were read lately a node remembers.
pub(crate) const HINTS: usize = 4_096;

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Load,
    /// Changes of which the key's generation must be known first.
    Write {
        changes: Arc<abide_core::Changes>,
        terms: Terms,
    },
    Edit(Edit),
    /// Makes all owners equal.
    Mend,
}

impl Work {
    /// What it makes of a value where it is decided by ballot.
    pub(crate) fn edit(&self) -> Edit {
        match self {
            Self::Edit(edit) => edit.clone(),
            Self::Write { changes, terms } => Edit::Commit { changes: changes.clone(), terms: *terms },
            Self::Load | Self::Mend => Edit::Keep,
        }
    }

    /// The name of what it makes of a value: see [`Edit::name`].
    pub(crate) fn name(&self) -> Option<Name> {
        match self {
            Self::Edit(edit) => edit.name(),
            Self::Write { changes, .. } => Name::of(changes),
            Self::Load | Self::Mend => None,
        }
    }
}

/// Who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Host(RequestId),
    /// Another node, which entrusted it to this one.
    Peer {
        peer: NodeId,
        operation: OperationId,
        round: u32,
    },
    Nobody,
}

/// One operation under way.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) key: Key,
    pub(crate) work: Work,
    pub(crate) asker: Asker,
    pub(crate) started: Duration,
    pub(crate) attempt: u32,
    pub(crate) attempted: Duration,
    /// Counts the questions: an answer to an earlier one is not taken for one to the last.
    pub(crate) round: u32,
    /// In which view this attempt counts.
    pub(crate) view: u64,
    pub(crate) owners: Vec<NodeId>,
    pub(crate) stage: Stage,
    /// Whether something was sent that may be stored, and with it the operation.
    pub(crate) in_doubt: bool,
    /// The highest ballot that stood in its way.
    pub(crate) beyond: Ballot,
}

impl Operation {
    /// By what it is judged now.
    pub(crate) fn judge(&self, now: Timestamp, variant: Option<Variant>) -> Judge {
        let is_entrusted = matches!(self.asker, Asker::Peer { .. });
        Judge { now, in_doubt: self.in_doubt, is_entrusted, variant }
    }
}

/// How far it is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Waits until then.
    Waiting {
        until: Duration,
    },
    /// Waits until another operation of this node on the same key has decided.
    Queued,
    /// Another node carries it out.
    Entrusted {
        to: NodeId,
        /// Whether it is in doubt also where that node did nothing.
        doubt_before: bool,
    },
    /// What it makes of the value is stored together with that of another operation on the same key.
    Riding {
        with: OperationId,
        /// Whether it is in doubt also where that is stored nowhere.
        doubt_before: bool,
        answer: Result<Answer, Error>,
    },
    Reading {
        states: States,
    },
    Writing {
        generation: Ballot,
        states: States,
        with_bodies: bool,
    },
    Preparing {
        ballot: Ballot,
        states: States,
    },
    Storing {
        ballot: Ballot,
        value: Held,
        stored: Vec<NodeId>,
        refused: Vec<NodeId>,
        /// Whether the operation is in doubt also where this is stored nowhere.
        doubt_before: bool,
        then: Then,
    },
}

/// What follows once a value is stored.
#[derive(Debug)]
pub(crate) enum Then {
    Answer(Result<Answer, Error>),
    /// What a read found.
    Found,
}

/// The operations of a node.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    last: OperationId,
    pub(crate) under_way: BTreeMap<OperationId, Operation>,
    /// Which operation of this node decides by ballot on a key: others wait for it.
    pub(crate) deciding: BTreeMap<Key, OperationId>,
    /// Those queued that may go on.
    pub(crate) awake: Vec<OperationId>,
    pub(crate) hints: BTreeMap<Key, Ballot>,
    /// Keys at which nodes overtook each other, and until when they are taken for such.
    pub(crate) contended: BTreeMap<Key, Duration>,
}

impl Node {
    pub(crate) fn on_request(&mut self, id: RequestId, request: Request) {
        let terms =
            |began, max_weight, value_overhead, retry| Terms { began, max_weight, value_overhead, retry };
        let (key, work) = match request {
            Request::Load { key } => (key.into(), Work::Load),
            Request::Create { key, record, options } => {
                (key.into(), Work::Edit(Edit::Create { record, max_weight: options.max_weight }))
            }
            Request::End { key, reason } => (key.into(), Work::Edit(Edit::End { reason })),
            Request::EndOf { key, whose, reason } => (key.into(), Work::Edit(Edit::EndOf { whose, reason })),
            Request::Sessions { from } => return self.scan(id, from),
            Request::User { user, edit, call, is_again } => {
                let key = Key::User(user);
                let first = || self.ballot(self.hint(&key).unwrap_or(Ballot::ZERO));
                let bound = if is_again { Ballot::ZERO } else { first() };
                (key, Work::Edit(Edit::User { edit, name: Name { call, bound } }))
            }
            Request::UserList { user } => (Key::User(user), Work::Load),
            Request::Commit { key, changes, options } => {
                let (began, max_weight) = (options.began, options.max_weight);
                let terms = terms(began, max_weight, options.value_overhead, options.retry);
                (key.into(), Work::Write { changes, terms })
            }
        };
        self.operate(key, work, Asker::Host(id));
    }

    /// Begins an operation.
    pub(crate) fn operate(&mut self, key: Key, work: Work, asker: Asker) -> OperationId {
        self.begin(key, work, asker, false)
    }

    /// Begins an operation that may have been stored before, where it is in doubt.
    pub(crate) fn begin(&mut self, key: Key, work: Work, asker: Asker, in_doubt: bool) -> OperationId {
        self.operations.last += 1;
        let id = self.operations.last;
        let now = self.now.elapsed;
        let operation = Operation {
            key,
            work,
            asker,
            started: now,
            attempt: 0,
            attempted: now,
            round: 0,
            view: 0,
            owners: Vec::new(),
            stage: Stage::Waiting { until: now },
            in_doubt,
            beyond: Ballot::ZERO,
        };
        self.operations.under_way.insert(id, operation);
        self.attempt(id);
        id
    }

    pub(crate) fn finish(&mut self, id: OperationId, answer: Result<Answer, Error>) {
        self.release(id);
        let Some(operation) = self.operations.under_way.remove(&id) else { return };
        match operation.asker {
            Asker::Host(request) => self.reply(request, answer),
            Asker::Peer { peer, operation, round } => self.tell(peer, operation, round, answer),
            Asker::Nobody => {}
        }
    }

    /// The generation of a key, as far as this node knows.
    pub(crate) fn hint(&self, key: &Key) -> Option<Ballot> {
        let own = self.serving(self.slot(key)).and_then(|copy| copy.cells.get(key));
        match own {
            Some(cell) if cell.held().is_some() => Some(cell.generation),
            _ => self.operations.hints.get(key).copied(),
        }
    }

    pub(crate) fn remember(&mut self, key: Key, generation: Ballot) {
        if self.operations.hints.len() >= HINTS {
            self.operations.hints.pop_first();
        }
        self.operations.hints.insert(key, generation);
    }
}

/// Whether the value is a session past its deadline that was not ended yet, or the list of a user of which a part had its
/// time.
pub(crate) fn is_due(value: &Held, now: Timestamp) -> bool {
    match value {
        Some(Value::Session(record, _)) => record.era().is_some() && record.over(now).is_some(),
        Some(Value::User(list, _)) => list.is_due(now),
        None => false,
    }
}
