//! The broken forms that take more than leaving a line out. See `variant`.

use super::ids::Ballot;
use super::message::What;
use super::node::Node;
use super::operation::{OperationId, Stage, Work};

impl Node {
    /// The broken form: what was stored in the view before counts on.
    pub(crate) fn again_across(&mut self, id: OperationId) {
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

    /// The broken form: the copy of the first owner decides.
    pub(crate) fn decide_alone(&mut self, id: OperationId, ballot: Ballot) {
        let Some(operation) = self.operations.under_way.get(&id) else { return };
        let slot = self.slot(&operation.key);
        let own = self.serving(slot).and_then(|copy| copy.cells.get(&operation.key));
        match own.map(|cell| cell.held().clone()) {
            Some(held) => self.propose(id, ballot, &held),
            None => self.ask_all(id, |_| What::Prepare { ballot, has: None }),
        }
    }
}
