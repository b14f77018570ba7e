//! The slots that a node holds, and whether it counts for them.
//!
//! **Invariants.**
//! 1. A copy that is complete in view `v` holds everything that a majority of the slot's owners stored in `v` or before, as
//!    far as quorums go: it had it all when it began to count, and was asked ever since.
//! 2. A node answers for a slot in its current view alone, and only with a copy that is complete in it. Knowing the next view
//!    therefore *seals* a copy: nothing more comes into it for the view before.
//! 3. A copy of an earlier view is kept until every member has what it needs of it.

use std::collections::{BTreeSet, VecDeque};

use super::cells::Cells;
use super::ids::{Ballot, NodeId};
use super::message::{Ask, No, Reply, What};
use super::node::Node;
use super::replica::{Cell, Nack, State};
use super::slots::{SlotId, slot_of};
use super::steps;
use super::value::{Digest, Key};
use super::variant::Variant;

/// How many questions are remembered.
pub(crate) const REMEMBERED: usize = 4_096;

/// The questions that were answered: a message that arrives twice is answered once, for its asker would take a later answer
/// for the first.
#[derive(Debug, Default)]
pub(crate) struct Answered {
    known: BTreeSet<Question>,
    order: VecDeque<Question>,
}

type Question = (NodeId, u64, u32);

impl Answered {
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn is_new(&mut self, question: Question) -> bool {
        let new = self.known.insert(question);
        if new {
            self.order.push_back(question);
        }
        if self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.known.remove(&oldest);
            }
        }
        new
    }
}

/// The cells of one slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Copy {
    /// In which view it is complete.
    pub(crate) complete_in: u64,
    /// No ballot that was forgotten is above it.
    pub(crate) floor: Ballot,
    pub(crate) cells: Cells,
}

impl Copy {
    /// The cell of a key, to promise or store something of this ballot.
    fn cell(&mut self, key: Key, ballot: Ballot) -> Result<&mut Cell, Nack> {
        let floor = self.floor;
        let make = || if ballot < floor { Err(Nack::Overtaken(floor)) } else { Ok(Cell::above(floor)) };
        self.cells.get_or_insert(key, make)
    }

    /// Drops the cells that are not to stay. Answers how many.
    pub(crate) fn forget(&mut self, stays: impl Fn(&Cell) -> bool) -> usize {
        let (before, floor) = (self.cells.len(), &mut self.floor);
        self.cells.retain(|cell| {
            let stays = stays(cell);
            *floor = if stays { *floor } else { cell.promised.max(*floor) };
            stays
        });
        before - self.cells.len()
    }

    /// What other owners should hold too. Tombstones that all of them have go from each in its own time.
    pub(crate) fn told(&self) -> impl Iterator<Item = (Key, Ballot, Digest)> {
        let stays = |(_, cell): &(&Key, &Cell)| cell.settled.is_none();
        self.cells.iter().filter(stays).map(|(key, cell)| (*key, cell.generation, cell.digest()))
    }

    /// Tells two copies apart that differ in what they hold.
    pub(crate) fn root(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        for (key, generation, digest) in self.told() {
            hasher.update(key.bytes());
            hasher.update(&generation.to_bytes());
            hasher.update(&digest.0);
        }
        Digest::of(&hasher)
    }
}

impl Node {
    pub(crate) fn slot(&self, key: &Key) -> SlotId {
        slot_of(key, self.views.current().map_or(1, |placed| placed.view.slots))
    }

    /// The owners of a key in the current view.
    pub(crate) fn owners(&self, key: &Key) -> Vec<NodeId> {
        let Some(placed) = self.views.current() else { return Vec::new() };
        placed.owners(slot_of(key, placed.view.slots)).to_vec()
    }

    /// The copy of a slot for which this node answers now.
    pub(crate) fn serving(&self, slot: SlotId) -> Option<&Copy> {
        let current = self.views.current()?;
        let copy = self.copies.get(&slot)?;
        let counts = copy.complete_in == current.view.number && current.owners(slot).contains(&self.me.id);
        (counts && self.phase.serves()).then_some(copy)
    }

    pub(crate) fn serving_mut(&mut self, slot: SlotId) -> Option<&mut Copy> {
        self.serving(slot)?;
        self.copies.get_mut(&slot)
    }

    /// One owner's answer about a key.
    pub(crate) fn on_ask(&mut self, from: NodeId, echo: u32, ask: Ask) {
        let (operation, round, view) = (ask.operation, ask.round, ask.view);
        if !self.answered.is_new((from, operation, round)) {
            return;
        }
        let (key, decides) = (ask.key, matches!(ask.what, What::Prepare { .. } | What::Store { .. }));
        let result = self.answer(echo, ask);
        if matches!(result, Err(No::NotServing)) {
            self.hasten(self.slot(&key));
        }
        if decides && matches!(result, Err(No::Overtaken(_))) {
            let copy = self.serving(self.slot(&key));
            if copy.is_some_and(|copy| !copy.cells.contains_key(&key)) {
                self.step(steps::BELOW_FLOOR);
            }
        }
        self.send(from, super::message::Body::Reply(Reply { operation, round, view, result }));
    }

    fn answer(&mut self, echo: u32, ask: Ask) -> Result<State, No> {
        let unfenced = self.is_broken(Variant::NoFence);
        let unsealed = self.is_broken(Variant::NoSeal) && ask.view + 1 == self.views.number();
        if ask.view != self.views.number() && !unfenced && !unsealed {
            return Err(No::NotServing);
        }
        let changes_something = matches!(ask.what, What::Store { .. } | What::Write { .. });
        if changes_something && self.is_stale(echo) && !unfenced {
            return Err(No::NotServing);
        }
        let (now, judged, variant) = (self.now.elapsed, self.judged_now(), self.variant());
        let slot = self.slot(&ask.key);
        let copy = match unsealed {
            true => self.copies.get_mut(&slot).filter(|copy| copy.complete_in == ask.view),
            false => self.serving_mut(slot),
        };
        let copy = copy.ok_or(No::NotServing)?;
        match ask.what {
            What::Read { body } => {
                let trusts = variant == Some(Variant::TrustHearsay);
                match copy.cells.get(&ask.key) {
                    None => Ok(Cell::default().state(body)),
                    Some(cell) if cell.is_hearsay() && !trusts => Err(No::Overtaken(cell.promised)),
                    Some(cell) => Ok(cell.state(body)),
                }
            }
            What::Prepare { ballot, has } => {
                let cell = copy.cell(ask.key, ballot)?;
                cell.promise(ballot)?;
                Ok(cell.state(has != Some(cell.digest())))
            }
            What::Store { ballot, value } => {
                let cell = copy.cell(ask.key, ballot)?;
                cell.store(ballot, &value, now)?;
                Ok(cell.state(false))
            }
            What::Write { generation, changes, terms, body } => {
                let rules = terms.rules(judged.ok_or(No::NotServing)?);
                let cell = copy.cells.get_mut(&ask.key).ok_or(No::Overtaken(generation))?;
                cell.write(generation, &changes, &rules, now, variant)?;
                Ok(cell.state(body))
            }
        }
    }
}
