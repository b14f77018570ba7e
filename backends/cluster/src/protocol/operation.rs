//! The coordinator of an operation: what all kinds have in common.
//!
//! **Invariants.**
//! 1. Answers are counted once for each owner, and within one view and one attempt alone.
//! 2. What is answered about a session is the value of a generation that a majority of the owners stored: never what one
//!    copy happens to hold.
//! 3. An operation of which anything was sent that may be stored ends in an answer that knows it, or as `Ambiguous`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Error, ErrorKind};

use super::edit::{Edit, Told};
use super::ids::{Ballot, NodeId};
use super::io::{Answer, Request, RequestId};
use super::message::{Ask, Body, No, Reply, Terms, What};
use super::node::Node;
use super::replica::{Body as Told_, State};
use super::slots::majority;
use super::value::{Digest, Held, Key, Value, digest, join};
use super::variant::Variant;

/// Names an operation of this node.
pub(crate) type OperationId = u64;

/// How many generations of keys that were read lately a node remembers.
const HINTS: usize = 4_096;
/// After how many attempts a blind write is decided by ballot instead.
pub(crate) const BLIND_ATTEMPTS: u32 = 2;

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

/// Who waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    Host(RequestId),
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

/// How far it is.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Waits until then.
    Waiting {
        until: Duration,
    },
    /// Waits until another operation of this node on the same key has decided.
    Queued,
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
    Answer(Result<Told, Error>),
    /// What a read found.
    Found,
}

/// What the owners told in one attempt.
#[derive(Debug, Default)]
pub(crate) struct States {
    pub(crate) told: BTreeMap<NodeId, State>,
    pub(crate) refused: BTreeMap<NodeId, No>,
}

impl States {
    /// The highest generation that was told, and the join of its copies; `None` where a body is missing.
    pub(crate) fn best(&self) -> Option<(Ballot, Held)> {
        let highest = self.told.values().map(|state| state.generation).max()?;
        let of_it = || self.told.values().filter(|state| state.generation == highest);
        let mut joined: Held = None;
        for digest in of_it().map(|state| state.digest) {
            let body = |state: &&State| matches!(&state.body, Told_::Given(_)) && state.digest == digest;
            let state = of_it().find(body)?;
            if let Told_::Given(held) = &state.body {
                joined = join(&joined, held);
            }
        }
        Some((highest, joined))
    }

    /// Who told exactly this.
    pub(crate) fn like(&self, generation: Ballot, digest: Digest) -> Vec<NodeId> {
        let same = |state: &State| state.generation == generation && state.digest == digest;
        self.told.iter().filter(|(_, state)| same(state)).map(|(id, _)| *id).collect()
    }
}

/// The operations of a node.
#[derive(Debug, Default)]
pub(crate) struct Operations {
    last: OperationId,
    pub(crate) under_way: BTreeMap<OperationId, Operation>,
    /// Which operation of this node decides by ballot on a key: others wait for it.
    deciding: BTreeMap<Key, OperationId>,
    /// Those queued that may go on.
    pub(crate) awake: Vec<OperationId>,
    hints: BTreeMap<Key, Ballot>,
}

impl Node {
    pub(crate) fn on_request(&mut self, id: RequestId, request: Request) {
        let terms =
            |began, max_weight, value_overhead, retry| Terms { began, max_weight, value_overhead, retry };
        let (key, work) = match request {
            Request::Load { key } => (key, Work::Load),
            Request::Create { key, record, options } => {
                (key, Work::Edit(Edit::Create { record, max_weight: options.max_weight }))
            }
            Request::End { key, reason } => (key, Work::Edit(Edit::End { reason })),
            Request::Commit { key, changes, options } => {
                let (began, max_weight) = (options.began, options.max_weight);
                let terms = terms(began, max_weight, options.value_overhead, options.retry);
                (key, Work::Write { changes, terms })
            }
        };
        self.operate(key.into(), work, Asker::Host(id));
    }

    /// Begins an operation.
    pub(crate) fn operate(&mut self, key: Key, work: Work, asker: Asker) -> OperationId {
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
            in_doubt: false,
            beyond: Ballot::ZERO,
        };
        self.operations.under_way.insert(id, operation);
        self.attempt(id);
        id
    }

    /// Begins an attempt, in the current view.
    pub(crate) fn attempt(&mut self, id: OperationId) {
        let (now, view) = (self.now.elapsed, self.views.number());
        let can = self.phase.serves() && self.judged_now().is_some();
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        (operation.attempt, operation.attempted) = (operation.attempt + 1, now);
        let key = operation.key;
        if !can {
            return self.wait(id);
        }
        let owners = self.owners(&key);
        let hint = self.hint(&key);
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        (operation.view, operation.owners) = (view, owners);
        match (&operation.work, hint) {
            (Work::Load | Work::Mend, _) if operation.beyond > Ballot::ZERO => self.decide(id),
            (Work::Load | Work::Mend, _) | (Work::Write { .. }, None) => self.read(id),
            (Work::Write { changes, .. }, Some(generation))
                if changes.is_blind() && operation.attempt <= BLIND_ATTEMPTS && !operation.in_doubt =>
            {
                self.write(id, generation, false);
            }
            _ => self.decide(id),
        }
    }

    /// Tries again a little later: others may be at the same key.
    pub(crate) fn wait(&mut self, id: OperationId) {
        let now = self.now.elapsed;
        let Some(attempt) = self.operations.under_way.get(&id).map(|operation| operation.attempt) else {
            return;
        };
        let most = 15 * u64::from(attempt.min(8));
        let until = now + Duration::from_millis(5 + self.draws.below(most));
        if let Some(operation) = self.operations.under_way.get_mut(&id) {
            operation.stage = Stage::Waiting { until };
        }
        self.release(id);
    }

    /// Waits for the operation of this node that decides on the same key.
    pub(crate) fn queue(&mut self, id: OperationId) {
        if let Some(operation) = self.operations.under_way.get_mut(&id) {
            operation.stage = Stage::Queued;
        }
    }

    /// Asks every owner.
    pub(crate) fn ask_all(&mut self, id: OperationId, what: impl Fn(NodeId) -> What) {
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        operation.round += 1;
        let (round, view, key) = (operation.round, operation.view, operation.key);
        for owner in operation.owners.clone() {
            let ask = Ask { operation: id, round, view, key, what: what(owner) };
            self.send(owner, Body::Ask(ask));
        }
    }

    pub(crate) fn on_reply(&mut self, from: NodeId, reply: Reply) {
        let id = reply.operation;
        let across = self.is_broken(Variant::AcknowledgeAcrossViews);
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        // A process that stood still finds answers to what it asked long ago: by now they may be about a forgotten session.
        if self.now.elapsed.saturating_sub(operation.started) >= self.settings.operation {
            return self.give_up(id);
        }
        let is_current = reply.round == operation.round && reply.view == operation.view;
        if !is_current && !across || !operation.owners.contains(&from) {
            return;
        }
        if matches!(reply.result, Err(No::NotServing)) && self.views.number() != operation.view {
            return self.again(id);
        }
        match &mut operation.stage {
            Stage::Waiting { .. } | Stage::Queued => {}
            Stage::Reading { states } | Stage::Writing { states, .. } | Stage::Preparing { states, .. } => {
                match reply.result {
                    Ok(state) => drop(states.told.insert(from, state)),
                    Err(no) => drop(states.refused.insert(from, no)),
                }
                match operation.stage {
                    Stage::Reading { .. } => self.read_on(id),
                    Stage::Writing { .. } => self.write_on(id),
                    _ => self.decide_on(id),
                }
            }
            Stage::Storing { stored, refused, .. } => match reply.result {
                Ok(_) if !stored.contains(&from) => {
                    stored.push(from);
                    self.store_on(id);
                }
                Err(No::Overtaken(ballot)) if !refused.contains(&from) => {
                    refused.push(from);
                    operation.beyond = operation.beyond.max(ballot);
                    self.overtaken(id);
                }
                _ => {}
            },
        }
    }

    /// A higher ballot stands in the way of what is to be stored. Where every owner says so, it is stored nowhere.
    fn overtaken(&mut self, id: OperationId) {
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let Stage::Storing { stored, refused, doubt_before, .. } = &operation.stage else { return };
        let (doubt, owners) = (*doubt_before, &operation.owners);
        let is_mend = matches!(operation.work, Work::Mend);
        let left = owners.len() - refused.len();
        if left >= self.needed(operation) && !is_mend {
            return;
        }
        let waited_for =
            |id: &&NodeId| !refused.contains(id) && !stored.contains(id) && !self.is_suspect(**id);
        let unknown = owners.iter().filter(waited_for).count();
        if stored.is_empty() && unknown > 0 {
            return;
        }
        let nowhere = refused.len() == owners.len();
        if let Some(operation) = self.operations.under_way.get_mut(&id).filter(|_| nowhere) {
            operation.in_doubt = doubt;
        }
        self.step("cas: was overtaken while it stored");
        self.wait(id);
    }

    /// Begins again at once: the view has changed.
    fn again(&mut self, id: OperationId) {
        if self.is_broken(Variant::AcknowledgeAcrossViews) {
            return self.again_across(id);
        }
        self.release(id);
        self.attempt(id);
    }

    /// The broken form: what was stored in the view before counts on.
    fn again_across(&mut self, id: OperationId) {
        let view = self.views.number();
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let owners = self.owners(&operation.key);
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        let before = operation.owners.clone();
        (operation.view, operation.owners) = (view, owners);
        operation.owners.extend(before);
        operation.owners.sort_unstable();
        operation.owners.dedup();
        let resend = match &operation.stage {
            Stage::Storing { ballot, value, .. } => What::Store { ballot: *ballot, value: value.clone() },
            Stage::Writing { generation, .. } => match &operation.work {
                Work::Write { changes, terms } => What::Write {
                    generation: *generation,
                    changes: changes.clone(),
                    terms: *terms,
                    body: true,
                },
                _ => return,
            },
            _ => {
                self.release(id);
                return self.attempt(id);
            }
        };
        self.ask_all(id, |_| resend.clone());
    }

    /// How many owners are a majority for this operation.
    pub(crate) fn needed(&self, operation: &Operation) -> usize {
        if self.is_broken(Variant::AcknowledgeAcrossViews) {
            let copies = self.views.current().map_or(1, |placed| usize::from(placed.view.copies));
            return majority(operation.owners.len().min(copies));
        }
        majority(operation.owners.len())
    }

    /// Whether an owner refused, and no majority is left that could do it.
    pub(crate) fn is_hopeless(&self, operation: &Operation, states: &States) -> bool {
        operation.owners.len().saturating_sub(states.refused.len()) < self.needed(operation)
    }

    /// Stores at a majority what owners told, and then goes on. It is nothing new: refused everywhere, it leaves the operation
    /// in the doubt it was in.
    pub(crate) fn store_told(&mut self, id: OperationId, ballot: Ballot, value: Held, then: Then) {
        let in_doubt = self.operations.under_way.get(&id).is_some_and(|operation| operation.in_doubt);
        self.store(id, ballot, value, in_doubt, then);
    }

    /// Stores a value at a majority, and then goes on.
    pub(crate) fn store(
        &mut self,
        id: OperationId,
        ballot: Ballot,
        value: Held,
        doubt_before: bool,
        then: Then,
    ) {
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        let (stored, refused) = (Vec::new(), Vec::new());
        operation.stage =
            Stage::Storing { ballot, value: value.clone(), stored, refused, doubt_before, then };
        self.ask_all(id, |_| What::Store { ballot, value: value.clone() });
    }

    fn store_on(&mut self, id: OperationId) {
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let Stage::Storing { stored, .. } = &operation.stage else { return };
        let needed = if matches!(operation.work, Work::Mend) {
            operation.owners.len()
        } else {
            self.needed(operation)
        };
        if stored.len() < needed {
            return;
        }
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        let stage = std::mem::replace(&mut operation.stage, Stage::Waiting { until: Duration::ZERO });
        let Stage::Storing { ballot, value, then, .. } = stage else { return };
        let key = operation.key;
        self.remember(key, ballot);
        match then {
            Then::Found => self.found(id, ballot, &value),
            Then::Answer(Ok(told)) => self.finish(id, Ok(super::edit::told(told, &value, digest(&value)))),
            Then::Answer(Err(error)) => self.fail_with(id, error, &value),
        }
    }

    /// Ends with an error that carries what is stored.
    fn fail_with(&mut self, id: OperationId, error: Error, value: &Held) {
        let error = match super::edit::loaded(value, digest(value)) {
            Some(loaded) if error.kind() == ErrorKind::Conflict => error.with_current(loaded),
            _ => error,
        };
        self.finish(id, Err(error));
    }

    pub(crate) fn finish(&mut self, id: OperationId, answer: Result<Answer, Error>) {
        self.release(id);
        let Some(operation) = self.operations.under_way.remove(&id) else { return };
        if let Asker::Host(request) = operation.asker {
            self.reply(request, answer);
        }
    }

    /// One operation of this node at a time decides by ballot on a key: two would only overtake each other. Answers
    /// whether this one may.
    pub(crate) fn may_decide(&mut self, id: OperationId, key: Key) -> bool {
        *self.operations.deciding.entry(key).or_insert(id) == id
    }

    /// Lets the next operation on the same key begin.
    fn release(&mut self, id: OperationId) {
        let Some(key) = self.operations.under_way.get(&id).map(|operation| operation.key) else { return };
        if self.operations.deciding.get(&key) != Some(&id) {
            return;
        }
        self.operations.deciding.remove(&key);
        let queued = |operation: &Operation| operation.key == key && matches!(operation.stage, Stage::Queued);
        let next = self.operations.under_way.iter().find(|(_, operation)| queued(operation));
        if let Some(next) = next.map(|(id, _)| *id) {
            self.operations.awake.push(next);
        }
    }

    /// Those that were let go on do.
    pub(crate) fn wake(&mut self) -> bool {
        let Some(id) = self.operations.awake.pop() else { return false };
        if self
            .operations
            .under_way
            .get(&id)
            .is_some_and(|operation| matches!(operation.stage, Stage::Queued))
        {
            self.attempt(id);
        }
        true
    }

    /// The generation of a key, as far as this node knows.
    fn hint(&self, key: &Key) -> Option<Ballot> {
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

    /// Time passes for operations: those that wait go on, those that hang are sent again, those that are late end.
    pub(crate) fn operate_on(&mut self) {
        let now = self.now.elapsed;
        let ids: Vec<OperationId> = self.operations.under_way.keys().copied().collect();
        for id in ids {
            let Some(operation) = self.operations.under_way.get(&id) else { continue };
            if now.saturating_sub(operation.started) >= self.settings.operation {
                self.give_up(id);
                continue;
            }
            let view_changed = operation.view != self.views.number();
            match operation.stage {
                Stage::Waiting { until } if until <= now => self.attempt(id),
                Stage::Waiting { .. } | Stage::Queued => {}
                _ if view_changed => self.again(id),
                _ if now.saturating_sub(operation.attempted) >= self.settings.attempt => {
                    self.step("operation: an attempt hung, and is made again");
                    self.release(id);
                    self.attempt(id);
                }
                _ => {}
            }
        }
    }

    fn give_up(&mut self, id: OperationId) {
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let missing: Vec<NodeId> =
            operation.owners.iter().copied().filter(|owner| self.is_suspect(*owner)).collect();
        let kind = if operation.in_doubt { ErrorKind::Ambiguous } else { ErrorKind::Unavailable };
        self.step(if operation.in_doubt {
            "operation: ends in doubt"
        } else {
            "operation: ends out of reach"
        });
        self.finish(
            id,
            Err(Error::new(kind, format!("no majority of the owners in time; out of reach: {missing:?}"))),
        );
    }
}

/// Whether the value is a session past its deadline that was not ended yet.
pub(crate) fn is_due(value: &Held, now: abide_core::Timestamp) -> bool {
    value
        .as_ref()
        .map(Value::session)
        .is_some_and(|record| record.era().is_some() && record.over(now).is_some())
}
