//! A read: what a majority of the owners holds.
//!
//! **Invariant.** It answers what a majority holds alike; where copies differ, their join is stored by a majority *before*
//! the answer, so that no later read can find less. Where a promise stands in the way, or an owner has what it holds by hearsay
//! alone, it is decided by ballot.

use super::edit::Edit;
use super::ids::{Ballot, NodeId};
use super::message::What;
use super::node::{Node, Phase};
use super::operation::{Asker, OperationId, Stage, Then, Work, is_due};
use super::states::{Best, States};
use super::steps;
use super::value::{Digest, Held, Key};
use super::variant::Variant;

impl Node {
    pub(crate) fn read(&mut self, id: OperationId) {
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        operation.stage = Stage::Reading { states: States::default() };
        let (owners, again) = (operation.owners.clone(), operation.attempt > 1);
        let teller = self.teller(&owners);
        self.step(steps::READS);
        self.ask_all(id, |owner| What::Read { body: again || Some(owner) == teller });
    }

    /// Who is asked for the value itself: this node, if it is an owner, for that costs nothing; else the first owner that
    /// is not suspected.
    pub(crate) fn teller(&self, owners: &[NodeId]) -> Option<NodeId> {
        let own = owners.iter().find(|owner| **owner == self.me.id);
        own.or_else(|| owners.iter().find(|owner| !self.is_suspect(**owner)))
            .or_else(|| owners.first())
            .copied()
    }

    pub(crate) fn read_on(&mut self, id: OperationId) {
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let Stage::Reading { states } = &operation.stage else { return };
        let hearsay = states.overtaken();
        let is_mend = matches!(operation.work, Work::Mend);
        let answered = states.told.len() + states.refused.len();
        let is_known_of = hearsay.is_some() && (is_mend || answered >= self.needed(operation));
        if is_known_of || self.is_hopeless(operation, states) {
            return self.find_out(id, hearsay);
        }
        let needed = if is_mend { operation.owners.len() } else { self.needed(operation) };
        if states.told.len() < needed {
            return;
        }
        let alike = states
            .told
            .values()
            .any(|state| states.like(state.generation, state.digest).len() >= needed && !is_mend);
        let everybody = answered == operation.owners.len();
        match states.best() {
            Some(Best { generation, value, digest }) => {
                if states.like(generation, digest).len() >= needed {
                    self.found(id, generation, &value, Some(digest));
                } else if !alike || everybody {
                    self.write_back(id, generation, value);
                }
            }
            // The values of the others are needed; by now it is known that they differ.
            None if !alike || everybody => self.ask_for_bodies(id),
            None => {}
        }
    }

    /// Owners do not serve, or have what they hold by hearsay: then a ballot above what they promised finds out.
    fn find_out(&mut self, id: OperationId, hearsay: Option<Ballot>) {
        let Some(promised) = hearsay else { return self.wait(id) };
        self.step(steps::READ_HEARSAY);
        if let Some(operation) = self.operations.under_way.get_mut(&id) {
            operation.beyond = operation.beyond.max(promised);
        }
        self.decide(id);
    }

    fn ask_for_bodies(&mut self, id: OperationId) {
        self.step(steps::READ_DIFFERS);
        if let Some(operation) = self.operations.under_way.get_mut(&id) {
            operation.stage = Stage::Reading { states: States::default() };
        }
        self.ask_all(id, |_| What::Read { body: true });
    }

    fn write_back(&mut self, id: OperationId, generation: Ballot, value: Held) {
        self.step(steps::READ_STORES);
        if self.is_broken(Variant::RepairAfterAnswer) {
            self.ask_all(id, |_| What::Store { ballot: generation, value: value.clone() });
            return self.found(id, generation, &value, None);
        }
        self.store_told(id, generation, value, Then::Found);
    }

    /// A majority holds this value of this generation. `known` is the digest of the value where it was told.
    pub(crate) fn found(&mut self, id: OperationId, generation: Ballot, value: &Held, known: Option<Digest>) {
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let (key, in_doubt) = (operation.key, operation.in_doubt);
        // Whoever reads the list of a user sees through what had its time.
        let is_session = matches!(key, Key::Session(_));
        let guest_clock = (self.phase == Phase::Left).then(|| self.own_clock());
        let due = is_session && self.judged_now().or(guest_clock).is_some_and(|now| is_due(value, now));
        match operation.work.clone() {
            Work::Load if due => {
                self.step(steps::READ_EXPIRES);
                self.decide_as(id, Edit::Expire);
            }
            Work::Load => {
                self.remember(key, generation);
                self.finish(id, Ok(super::edit::read(&key, value, known)));
            }
            Work::Mend => {
                let answer = super::io::Answer::Session(None);
                self.finish(id, Ok(answer));
            }
            Work::Write { .. } if value.is_none() => {
                let kind =
                    if in_doubt { abide_core::ErrorKind::Ambiguous } else { abide_core::ErrorKind::Missing };
                self.finish(id, Err(kind.into()));
            }
            Work::Write { changes, .. } if changes.is_blind() && !in_doubt => {
                self.remember(key, generation);
                self.write(id, generation, false);
            }
            Work::Write { .. } | Work::Edit(_) => self.decide(id),
        }
    }

    /// Makes the copies of a key equal, at every owner.
    pub(crate) fn mend(&mut self, key: Key) {
        let mends = |operation: &super::operation::Operation| {
            operation.key == key && matches!(operation.work, Work::Mend)
        };
        if !self.operations.under_way.values().any(mends) {
            self.step(steps::MENDS);
            self.operate(key, Work::Mend, Asker::Nobody);
        }
    }
}
