//! The attempts of an operation: each asks the owners of one view, and what does not come is asked again.
//!
//! **Invariant.** Answers are counted once for each owner, and within one view and one round of questions alone. What comes
//! after an operation's time is not taken at all.

use std::time::Duration;

use abide_core::{Error, ErrorKind};

use super::ids::{Ballot, NodeId};
use super::message::{Ask, Body, No, Reply, What};
use super::node::{Node, Phase};
use super::operation::{Operation, OperationId, Stage, Work};
use super::slots::majority;
use super::states::States;
use super::steps;
use super::variant::Variant;

/// After how many attempts a blind write is decided by ballot instead.
const BLIND_ATTEMPTS: u32 = 2;

impl Node {
    /// Begins an attempt, in the current view.
    pub(crate) fn attempt(&mut self, id: OperationId) {
        let (now, view) = (self.now.elapsed, self.views.number());
        let is_member = self.phase.serves() && self.judged_now().is_some();
        // Who left asks on, and changes nothing.
        let is_guest = self.phase == Phase::Left;
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        let can = is_member || is_guest && matches!(operation.work, Work::Load);
        (operation.attempt, operation.attempted) = (operation.attempt + 1, now);
        let key = operation.key;
        if !can {
            return self.wait(id);
        }
        let owners = self.owners(&key);
        let (hint, contended) = (self.hint(&key), self.is_contended(&key));
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        (operation.view, operation.owners) = (view, owners);
        match (&operation.work, hint) {
            (Work::Load | Work::Mend, _) if operation.beyond > Ballot::ZERO => self.decide(id),
            (Work::Load | Work::Mend, _) | (Work::Write { .. }, None) => self.read(id),
            (Work::Write { changes, .. }, Some(generation))
                if changes.is_blind()
                    && operation.attempt <= BLIND_ATTEMPTS
                    && !operation.in_doubt
                    && !contended =>
            {
                self.write(id, generation, false);
            }
            _ => self.decide(id),
        }
    }

    /// Others are at the same key: one of them goes on for all, or this one tries again a little later.
    pub(crate) fn give_way(&mut self, id: OperationId) {
        if let Some(key) = self.operations.under_way.get(&id).map(|operation| operation.key) {
            self.note_contended(key);
        }
        if !self.entrust(id) {
            self.wait(id);
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
            Stage::Waiting { .. } | Stage::Queued | Stage::Riding { .. } | Stage::Entrusted { .. } => {}
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

    /// Begins again at once: the view has changed.
    fn again(&mut self, id: OperationId) {
        if self.is_broken(Variant::AcknowledgeAcrossViews) {
            return self.again_across(id);
        }
        self.release(id);
        self.attempt(id);
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
                Stage::Waiting { .. } | Stage::Queued | Stage::Riding { .. } => {}
                _ if view_changed => self.again(id),
                Stage::Entrusted { to, .. } if self.is_suspect(to) => self.again(id),
                // There may be a row before it.
                Stage::Entrusted { .. }
                    if now.saturating_sub(operation.attempted) < 2 * self.settings.attempt => {}
                _ if now.saturating_sub(operation.attempted) >= self.settings.attempt => {
                    self.step(steps::HUNG);
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
        self.step(if operation.in_doubt { steps::IN_DOUBT } else { steps::OUT_OF_REACH });
        self.finish(
            id,
            Err(Error::new(kind, format!("no majority of the owners in time; out of reach: {missing:?}"))),
        );
    }
}
