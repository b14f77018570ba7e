//! Entrusting an operation to the first owner in reach: where nodes overtake each other at a key, one of them decides for all.
//!
//! **Invariants.**
//! 1. Whoever entrusted an operation is in doubt of it until it is told what came of it. Where that does not come it asks
//!    again, or decides itself, and the operation finds itself.
//! 2. What was entrusted is not carried out where the word of it is old. What has a name (see `deeds`) is carried out once, however
//!    often it is asked for; of a session, what comes after its answer finds its condition gone.
//!
//! Nothing depends on who is first: two nodes that disagree about it overtake each other, and are right all the same.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{Changes, EndOutcome, EndReason, Error, ErrorKind};
use serde::{Deserialize, Serialize};

use super::deeds::{Deeds, Name};
use super::edit::{Edit, answered, loaded};
use super::ids::{Ballot, NodeId};
use super::io::Answer;
use super::message::{Body, No, Terms};
use super::node::Node;
use super::operation::{Asker, HINTS, OperationId, Stage, Work};
use super::steps;
use super::user_edit::{UserAnswer, UserEdit};
use super::value::{Held, Key, Value};

/// How long a key is taken for contended after somebody was overtaken there.
const CONTENDED: Duration = Duration::from_secs(1);

/// An operation that another node is to carry out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entrust {
    pub(crate) operation: OperationId,
    pub(crate) round: u32,
    pub(crate) view: u64,
    pub(crate) key: Key,
    /// Whether it may have been stored before.
    pub(crate) in_doubt: bool,
    pub(crate) task: Task,
}

/// What is to be done.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    Load,
    Commit {
        #[serde(with = "super::wire::changes")]
        changes: Arc<Changes>,
        terms: Terms,
    },
    End {
        reason: u8,
    },
    User {
        edit: UserEdit,
        name: Name,
    },
}

/// What came of it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entrusted {
    pub(crate) operation: OperationId,
    pub(crate) round: u32,
    pub(crate) came: Result<Came, No>,
}

/// An answer as it is told to another node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Came {
    Session(Held),
    Ended { was_live: bool },
    User(UserAnswer),
    Failed(#[serde(with = "super::wire::kind")] ErrorKind, Held),
}

impl Task {
    /// Of an operation that may be entrusted.
    fn of(work: &Work) -> Option<Self> {
        match work {
            Work::Load => Some(Self::Load),
            Work::Write { changes, terms } | Work::Edit(Edit::Commit { changes, terms }) => {
                Some(Self::Commit { changes: changes.clone(), terms: *terms })
            }
            Work::Edit(Edit::End { reason }) => Some(Self::End { reason: reason.code() }),
            // Without a bound nobody could tell that the word of it came after its answer.
            Work::Edit(Edit::User { edit, name }) if name.bound > Ballot::ZERO => {
                Some(Self::User { edit: edit.clone(), name: *name })
            }
            Work::Edit(_) | Work::Mend => None,
        }
    }

    /// Whether it is done to such a key.
    fn is_of(&self, key: &Key) -> bool {
        match self {
            Self::User { .. } => matches!(key, Key::User(_)),
            Self::Load | Self::Commit { .. } | Self::End { .. } => matches!(key, Key::Session(_)),
        }
    }

    fn work(self) -> Work {
        match self {
            Self::Load => Work::Load,
            Self::Commit { changes, terms } => Work::Write { changes, terms },
            Self::End { reason } => Work::Edit(Edit::End { reason: EndReason::from_code(reason) }),
            Self::User { edit, name } => Work::Edit(Edit::User { edit, name }),
        }
    }
}

impl Came {
    fn of(answer: Result<Answer, Error>) -> Self {
        let held = |loaded: abide_core::Loaded| Value::Session(loaded.record, Deeds::default());
        match answer {
            Ok(Answer::Session(session)) => Self::Session(session.map(held)),
            Ok(Answer::Ended(outcome)) => Self::Ended { was_live: outcome.was_live },
            Ok(Answer::User(answer)) => Self::User(answer),
            Ok(_) => Self::Failed(ErrorKind::Unsupported, None),
            Err(mut error) => Self::Failed(error.kind(), error.take_current().map(held)),
        }
    }

    fn answer(self) -> Result<Answer, Error> {
        match self {
            Self::Session(held) => Ok(Answer::Session(loaded(&held, None))),
            Self::User(answer) => Ok(Answer::User(answer)),
            Self::Ended { was_live } => Ok(Answer::Ended(EndOutcome::new(was_live))),
            Self::Failed(kind, held) => answered(Err(kind.into()), &held, None),
        }
    }
}

impl Node {
    /// Others decide at this key too.
    pub(crate) fn note_contended(&mut self, key: Key) {
        let until = self.now.elapsed + CONTENDED;
        if self.operations.contended.len() >= HINTS {
            self.operations.contended.pop_first();
        }
        self.operations.contended.insert(key, until);
    }

    pub(crate) fn is_contended(&self, key: &Key) -> bool {
        self.operations.contended.get(key).is_some_and(|until| *until > self.now.elapsed)
    }

    /// Who decides for this node, `None` where it does so itself.
    fn decider(&self, key: &Key) -> Option<NodeId> {
        if !self.is_contended(key) {
            return None;
        }
        let first = self.owners(key).into_iter().find(|owner| !self.is_suspect(*owner));
        first.filter(|first| *first != self.me.id)
    }

    /// Entrusts an operation to whoever decides for this node. Answers whether there is one.
    pub(crate) fn entrust(&mut self, id: OperationId) -> bool {
        let Some(operation) = self.operations.under_way.get(&id) else { return false };
        let (key, view, task) = (operation.key, operation.view, Task::of(&operation.work));
        let (Some(task), Some(to)) = (task.filter(|task| task.is_of(&key)), self.decider(&key)) else {
            return false;
        };
        self.step(steps::ENTRUSTS);
        self.release(id);
        let now = self.now.elapsed;
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return false };
        (operation.round, operation.attempted) = (operation.round + 1, now);
        let (round, in_doubt) = (operation.round, operation.in_doubt);
        operation.stage = Stage::Entrusted { to, doubt_before: in_doubt };
        operation.in_doubt |= !matches!(task, Task::Load);
        self.send(to, Body::Entrust(Entrust { operation: id, round, view, key, in_doubt, task }));
        self.wake_all(key);
        true
    }

    /// Another node entrusts an operation to this one.
    pub(crate) fn on_entrust(&mut self, from: NodeId, echo: u32, entrust: Entrust) {
        let Entrust { operation, round, view, key, in_doubt, task } = entrust;
        if !self.answered.is_new((from, operation, round)) {
            return;
        }
        let serves = self.phase.serves() && view == self.views.number();
        if !serves || !task.is_of(&key) || self.is_stale(echo) {
            let no = Entrusted { operation, round, came: Err(No::NotServing) };
            return self.send(from, Body::Entrusted(no));
        }
        self.note_contended(key);
        self.step(steps::DECIDES_FOR_OTHERS);
        self.begin(key, task.work(), Asker::Peer { peer: from, operation, round }, in_doubt);
    }

    /// What came of an operation that was entrusted to this node.
    pub(crate) fn tell(
        &mut self,
        to: NodeId,
        operation: OperationId,
        round: u32,
        answer: Result<Answer, Error>,
    ) {
        let came = Ok(Came::of(answer));
        self.send(to, Body::Entrusted(Entrusted { operation, round, came }));
    }

    /// What came of an operation that this node entrusted to another one.
    pub(crate) fn on_entrusted(&mut self, from: NodeId, entrusted: Entrusted) {
        let Entrusted { operation: id, round, came } = entrusted;
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        let Stage::Entrusted { to, doubt_before } = operation.stage else { return };
        // What was done is done, also where it was asked for once more meanwhile; but what was refused may be done yet.
        let is_done = matches!(came, Ok(Came::Session(_) | Came::Ended { .. } | Came::User(_)));
        if to != from || (round != operation.round && !is_done) {
            return;
        }
        match came {
            Err(_) | Ok(Came::Failed(ErrorKind::Unavailable, _)) => {
                operation.in_doubt = doubt_before;
                self.wait(id);
            }
            Ok(came) => {
                self.step(steps::WAS_DECIDED_FOR);
                self.finish(id, came.answer());
            }
        }
    }
}
