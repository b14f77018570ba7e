//! What a node says of itself, for dashboards.

use std::ops::{Add, Range};

use super::node::Node;
use super::operation::is_due;
use super::steps;
use super::value::Value;

/// How much a node has to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Duties {
    /// Slots that it owns.
    pub slots: usize,
    /// Slots of these that it has not copied yet.
    pub lacking: usize,
    /// Operations under way.
    pub operations: usize,
}

/// What a node keeps in some slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Holdings {
    /// Live sessions of which it keeps a copy.
    pub sessions: usize,
    /// Ends that it remembers.
    pub tombstones: usize,
    /// Bytes of what it keeps, as the records' [weight](abide_core::Record::weight).
    pub bytes: usize,
}

impl Add for Holdings {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            sessions: self.sessions + other.sessions,
            tombstones: self.tombstones + other.tombstones,
            bytes: self.bytes + other.bytes,
        }
    }
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
    /// How many slots its cluster has, zero before it is in one.
    #[must_use]
    pub fn all_slots(&self) -> u16 {
        self.views.current().map_or(0, |placed| placed.view.slots)
    }

    /// How much it has to do.
    #[must_use]
    pub fn duties(&self) -> Duties {
        Duties {
            slots: self.copies.len(),
            lacking: self.lacking(),
            operations: self.operations.under_way.len(),
        }
    }

    /// What it keeps in these slots. It looks at every session of theirs.
    #[must_use]
    pub fn holdings(&self, slots: Range<u16>) -> Holdings {
        let (mut holdings, now) = (Holdings::default(), self.judged_now());
        let cells = self.copies.range(slots).flat_map(|(_, copy)| copy.cells.values());
        for held in cells.map(super::replica::Cell::held) {
            let Some(value) = held else { continue };
            holdings.bytes += value.weight();
            match value {
                value if value.is_tombstone() => holdings.tombstones += 1,
                Value::Session(..) if now.is_none_or(|now| !is_due(held, now)) => holdings.sessions += 1,
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
