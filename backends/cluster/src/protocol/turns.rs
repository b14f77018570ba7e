//! Turns: one operation of a node at a time decides by ballot on a key, for two would only overtake each other. It takes
//! those along that wait behind it, so that a crowd on one key costs few ballots.
//!
//! **Invariant.** Who decides lets the next one begin when it waits, is done, or gives up; whom it took along is answered when
//! their common value is stored, and waits for another turn otherwise.

use abide_core::Timestamp;

use super::edit::answered;
use super::ids::Ballot;
use super::node::Node;
use super::operation::{Operation, OperationId, Stage, Work};
use super::steps;
use super::value::{Held, Key};

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
        self.let_off(id);
        let queued = |operation: &Operation| operation.key == key && matches!(operation.stage, Stage::Queued);
        let next = self.operations.under_way.iter().find(|(_, operation)| queued(operation));
        if let Some(next) = next.map(|(id, _)| *id) {
            self.operations.awake.push(next);
        }
    }

    /// Those that wait for their turn behind `id` are decided with it: each makes something of what the one before it
    /// made. Answers what they all made of the value.
    pub(crate) fn take_along(
        &mut self,
        id: OperationId,
        key: Key,
        ballot: Ballot,
        mut value: Held,
        now: Timestamp,
    ) -> Held {
        let waits = |operation: &Operation| {
            let changes = matches!(operation.work, Work::Edit(_) | Work::Write { .. });
            let is_named_before = || operation.work.name().is_none_or(|name| name.bound < ballot);
            operation.key == key && changes && matches!(operation.stage, Stage::Queued) && is_named_before()
        };
        let (mut ride, variant) = (0, self.variant());
        for operation in self.operations.under_way.values_mut().filter(|operation| waits(operation)) {
            let doubt_before = operation.in_doubt;
            let came = operation.work.edit().decided(&value, operation.judge(now, variant), ballot);
            operation.in_doubt |= came.value.is_some();
            value = came.value.unwrap_or(value);
            let answer = answered(came.answer, &value, None);
            operation.stage = Stage::Riding { with: id, doubt_before, answer };
            ride += 1;
        }
        if ride > 0 {
            self.step(steps::CAS_TAKES_ALONG);
        }
        value
    }

    /// What was decided together is stored: those that came along are answered, each as of its own place in the row.
    pub(crate) fn arrive(&mut self, id: OperationId) {
        let rides =
            |operation: &Operation| matches!(operation.stage, Stage::Riding { with, .. } if with == id);
        let under_way = self.operations.under_way.iter();
        let riders: Vec<OperationId> =
            under_way.filter(|(_, operation)| rides(operation)).map(|(id, _)| *id).collect();
        for rider in riders {
            let Some(operation) = self.operations.under_way.get_mut(&rider) else { continue };
            let stage = std::mem::replace(&mut operation.stage, Stage::Queued);
            if let Stage::Riding { answer, .. } = stage {
                self.finish(rider, answer);
            }
        }
    }

    /// What was to be decided together is stored nowhere: those that came along are in the doubt they were in.
    pub(crate) fn undo_doubts(&mut self, id: OperationId) {
        for operation in self.operations.under_way.values_mut() {
            match operation.stage {
                Stage::Riding { with, doubt_before, .. } if with == id => operation.in_doubt = doubt_before,
                _ => {}
            }
        }
    }

    /// Those that came along wait for another turn.
    fn let_off(&mut self, id: OperationId) {
        for operation in self.operations.under_way.values_mut() {
            if matches!(operation.stage, Stage::Riding { with, .. } if with == id) {
                operation.stage = Stage::Queued;
            }
        }
    }

    /// All that wait for a turn at a key go on: this node decides there no more.
    pub(crate) fn wake_all(&mut self, key: Key) {
        let queued = |operation: &Operation| operation.key == key && matches!(operation.stage, Stage::Queued);
        let waiting = self.operations.under_way.iter().filter(|(_, operation)| queued(operation));
        self.operations.awake.extend(waiting.map(|(id, _)| *id));
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
