//! Turns: one operation of a node at a time decides by ballot on a key, for two would only overtake each other.
//!
//! **Invariant.** Who decides lets the next one begin when it waits, is done, or gives up.

use super::node::Node;
use super::operation::{Operation, OperationId, Stage};
use super::value::Key;

impl Node {
    /// One operation of this node at a time decides by ballot on a key: two would only overtake each other. Answers
    /// whether this one may.
    pub(crate) fn may_decide(&mut self, id: OperationId, key: Key) -> bool {
        *self.operations.deciding.entry(key).or_insert(id) == id
    }

    /// Waits for the operation of this node that decides on the same key.
    pub(crate) fn queue(&mut self, id: OperationId) {
        if let Some(operation) = self.operations.under_way.get_mut(&id) {
            operation.stage = Stage::Queued;
        }
    }

    /// Lets the next operation on the same key begin.
    pub(crate) fn release(&mut self, id: OperationId) {
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
}
