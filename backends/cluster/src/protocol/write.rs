//! A blind write: changes without a condition, in one round trip.
//!
//! **Invariant.** It is done when a majority of the owners, within one view, took it into one generation. In any other case
//! it is decided by ballot, which also settles that the first try is never taken any more: a later generation is stored, and
//! owners take writes into the generation alone for which they were made.

use abide_core::ErrorKind;

use super::edit::{Told, answered};
use super::ids::{Ballot, NodeId};
use super::message::{No, What};
use super::node::Node;
use super::operation::{OperationId, Stage, Then, Work};
use super::states::{Best, States};
use super::steps;
use super::variant::Variant;

impl Node {
    pub(crate) fn write(&mut self, id: OperationId, generation: Ballot, with_bodies: bool) {
        let Some(operation) = self.operations.under_way.get_mut(&id) else { return };
        let Work::Write { changes, terms } = operation.work.clone() else { return };
        operation.in_doubt = true;
        operation.stage = Stage::Writing { generation, states: States::default(), with_bodies };
        let owners = operation.owners.clone();
        let teller = self.teller(&owners);
        self.step(steps::WRITES);
        self.ask_all(id, |owner| What::Write {
            generation,
            changes: changes.clone(),
            terms,
            body: with_bodies || Some(owner) == teller,
        });
    }

    pub(crate) fn write_on(&mut self, id: OperationId) {
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let Stage::Writing { generation, states, with_bodies } = &operation.stage else { return };
        let (generation, with_bodies) = (*generation, *with_bodies);
        if self.is_hopeless(operation, states) {
            return self.refused(id);
        }
        let needed = self.needed(operation);
        if states.told.len() < needed {
            return;
        }
        let everybody = states.told.len() + states.refused.len() == operation.owners.len();
        let alike =
            states.told.values().any(|state| states.like(state.generation, state.digest).len() >= needed);
        let Some(Best { value, digest, .. }) = states.best() else {
            if !with_bodies && (everybody || !alike) {
                self.step(steps::WRITE_DIFFERS);
                self.write(id, generation, true);
            }
            return;
        };
        let across = self.is_broken(Variant::AcknowledgeAcrossViews);
        if across || states.like(generation, digest).len() >= needed {
            self.step(steps::WRITTEN);
            self.remember_of(id, generation);
            self.finish(id, answered(Ok(Told::Stored), &value, Some(digest)));
        } else if everybody || !alike {
            // Each of a majority took it; what else is in their copies was not asked for by a majority yet.
            self.step(steps::WRITE_STORES);
            let answer = answered(Ok(Told::Stored), &value, Some(digest));
            self.store_told(id, generation, value, Then::Answer(answer));
        }
    }

    /// No majority will take it. Where every owner refused it for good, it happened nowhere.
    fn refused(&mut self, id: OperationId) {
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let Stage::Writing { states, with_bodies, .. } = &operation.stage else { return };
        let is_known = |owner: &NodeId| states.told.contains_key(owner) || states.refused.contains_key(owner);
        let unknown =
            operation.owners.iter().filter(|owner| !is_known(owner) && !self.is_suspect(**owner)).count();
        if states.told.is_empty() && unknown > 0 {
            return;
        }
        let over = [ErrorKind::Ended, ErrorKind::Missing, ErrorKind::Superseded];
        let for_good = |no: &No| match no {
            No::Overtaken(_) => true,
            No::Refused(kind) => over.contains(kind),
            No::NotServing => false,
        };
        // Asked for the second time, an owner may have taken it before it refused it.
        let all_refused = states.refused.len() == operation.owners.len() && !with_bodies;
        let nowhere = all_refused && states.refused.values().all(for_good);
        let serves = states.refused.values().any(|no| *no != No::NotServing);
        let overtaken = states.refused.values().any(|no| matches!(no, No::Overtaken(_)));
        if let Some(operation) = self.operations.under_way.get_mut(&id).filter(|_| nowhere) {
            operation.in_doubt = false;
        }
        self.step(match (serves, overtaken) {
            (false, _) => steps::WRITE_UNSERVED,
            (_, true) => steps::WRITE_OVERTAKEN,
            _ => steps::WRITE_REFUSED,
        });
        if serves { self.decide(id) } else { self.wait(id) }
    }

    fn remember_of(&mut self, id: OperationId, generation: Ballot) {
        if let Some(key) = self.operations.under_way.get(&id).map(|operation| operation.key) {
            self.remember(key, generation);
        }
    }
}
