//! Compare-and-commit: prepare and accept on a majority of the owners, the ballot is a stamp.
//!
//! **Invariant.** A proposer stores what its edit makes of the join of the highest generation that a majority told it
//! together with their promise. Nothing that a majority stored or took before can be missing from it, and nothing lower can
//! be stored after it.

use abide_core::Stamp;

use super::edit::{Edit, answered};
use super::ids::Ballot;
use super::message::What;
use super::node::Node;
use super::operation::{OperationId, Stage, Then, Work};
use super::states::States;
use super::steps;
use super::value::Held;
use super::variant::Variant;

impl Node {
    /// Decides an operation as this edit instead.
    pub(crate) fn decide_as(&mut self, id: OperationId, edit: Edit) {
        if let Some(operation) = self.operations.under_way.get_mut(&id) {
            operation.work = Work::Edit(edit);
        }
        self.decide(id);
    }

    pub(crate) fn decide(&mut self, id: OperationId) {
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let (key, name) = (operation.key, operation.work.name());
        let beyond = operation.beyond.max(name.map_or(Ballot::ZERO, |name| name.bound));
        if self.entrust(id) {
            return;
        }
        if !self.may_decide(id, key) {
            self.step(steps::CAS_QUEUES);
            return self.queue(id);
        }
        let slot = self.slot(&key);
        let own = self.serving(slot).map(|copy| (copy.floor, copy.cells.get(&key)));
        let (has, seen) = match own {
            Some((_, Some(cell))) => (Some(cell.digest()), cell.promised),
            Some((floor, None)) => (None, floor),
            None => (None, Stamp::ZERO),
        };
        let ballot = self.ballot(beyond.max(seen));
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        let has = has.filter(|_| operation.attempt <= 2);
        operation.stage = Stage::Preparing { ballot, states: States::default() };
        if self.is_broken(Variant::CompareAtOneOwner) {
            return self.decide_alone(id, ballot);
        }
        self.step(steps::CAS_PREPARES);
        let me = self.me.id;
        // What this node has itself need not be told by the others, once it told it.
        self.ask_all(id, |owner| What::Prepare { ballot, has: has.filter(|_| owner != me) });
    }

    /// A ballot after all that this node saw.
    pub(crate) fn ballot(&self, seen: Ballot) -> Ballot {
        let now = self.judged_now().unwrap_or(self.now.wall);
        self.stamps.next_after(now, seen)
    }

    pub(crate) fn decide_on(&mut self, id: OperationId) {
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        let Stage::Preparing { ballot, states } = &operation.stage else { return };
        let ballot = *ballot;
        operation.beyond = states.overtaken().map_or(operation.beyond, |by| operation.beyond.max(by));
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let Stage::Preparing { states, .. } = &operation.stage else { return };
        if self.is_hopeless(operation, states) {
            self.step(steps::CAS_OVERTAKEN);
            return self.give_way(id);
        }
        if states.told.len() < self.needed(operation) {
            return;
        }
        // An owner that was asked to leave out what this node has may have told it before this node did.
        let Some(best) = states.best() else { return };
        self.propose(id, ballot, &best.value);
    }

    /// Stores what the edit makes of `held`, or `held` itself where it makes nothing of it: an answer must rest on what a
    /// majority stored, also one that says no.
    pub(crate) fn propose(&mut self, id: OperationId, ballot: Ballot, held: &Held) {
        let Some(now) = self.judged_now() else { return self.wait(id) };
        let variant = self.variant();
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        let (key, edit) = (operation.key, operation.work.edit());
        let came = edit.decided(held, operation.judge(now, variant), ballot);
        let doubt_before = operation.in_doubt;
        // Whoever asked for a session that was due changed nothing.
        operation.in_doubt |= came.value.is_some() && !matches!(edit, Edit::Expire);
        let step = if came.value.is_some() { steps::CAS_STORES_NEW } else { steps::CAS_STORES_OLD };
        let value = came.value.unwrap_or_else(|| held.clone());
        let answer = answered(came.answer, &value, None);
        let then = match operation.work {
            Work::Mend | Work::Load => Then::Found,
            _ => Then::Answer(answer),
        };
        self.step(step);
        let value = self.take_along(id, key, ballot, value, now);
        self.store(id, ballot, value, doubt_before, then);
    }
}
