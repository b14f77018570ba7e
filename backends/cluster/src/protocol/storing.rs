//! Storing a value at a majority: the last stage of what is decided by ballot, of a read that found copies differ, and of a
//! write whose copies differ.
//!
//! **Invariant.** What was stored at a majority is answered. What every owner refused is stored nowhere, and leaves the
//! operation in the doubt it was in before.

use std::time::Duration;

use super::ids::{Ballot, NodeId};
use super::message::What;
use super::node::Node;
use super::operation::{OperationId, Stage, Then, Work};
use super::steps;
use super::value::Held;

impl Node {
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

    pub(crate) fn store_on(&mut self, id: OperationId) {
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
            Then::Found => self.found(id, ballot, &value, None),
            Then::Answer(answer) => {
                self.arrive(id);
                self.finish(id, answer);
            }
        }
    }

    /// A higher ballot stands in the way of what is to be stored. Where every owner says so, it is stored nowhere.
    pub(crate) fn overtaken(&mut self, id: OperationId) {
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
        if nowhere {
            self.undo_doubts(id);
        }
        self.step(steps::CAS_OVERTAKEN_STORING);
        self.give_way(id);
    }
}
