//! What a node says of itself, for dashboards.

use super::node::Node;
use super::operation::is_due;
use super::steps;
use super::value::Value;

/// How much a node holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holdings {
    /// Slots that it owns.
    pub slots: usize,
    /// Slots of these that it has not copied yet.
    pub lacking: usize,
    /// Live sessions of which it keeps a copy.
    pub sessions: usize,
    /// Ends that it remembers.
    pub tombstones: usize,
    /// Bytes of what it keeps, as the records' [weight](abide_core::Record::weight).
    pub bytes: usize,
    /// Operations under way.
    pub operations: usize,
}

/// How often something happened to a node.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Events {
    /// Keys that were mended.
    pub repairs: u64,
    /// Operations that ended in doubt.
    pub in_doubt: u64,
    /// Operations that reached no majority in time.
    pub out_of_reach: u64,
    /// Members that were suspected.
    pub suspicions: u64,
}

impl Node {
    /// How much it holds. It looks at every session.
    #[must_use]
    pub fn holdings(&self) -> Holdings {
        let mut holdings = Holdings {
            slots: self.copies.len(),
            lacking: self.lacking(),
            operations: self.operations.under_way.len(),
            ..Holdings::default()
        };
        let is_live = |value: &Value| match self.judged_now() {
            Some(now) => !is_due(&Some(value.clone()), now),
            None => true,
        };
        for value in
            self.copies.values().flat_map(|copy| copy.cells.values()).filter_map(|cell| cell.held().as_ref())
        {
            holdings.bytes += value.weight();
            match value {
                value if value.is_tombstone() => holdings.tombstones += 1,
                Value::Session(..) if is_live(value) => holdings.sessions += 1,
                _ => {}
            }
        }
        holdings
    }

    /// How often something happened to it.
    #[must_use]
    pub fn events(&self) -> Events {
        let count = |step: &str| self.steps().get(step).copied().unwrap_or(0);
        Events {
            repairs: count(steps::MENDS),
            in_doubt: count(steps::IN_DOUBT),
            out_of_reach: count(steps::OUT_OF_REACH),
            suspicions: self.suspicions,
        }
    }
}
