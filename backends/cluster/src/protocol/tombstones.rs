//! What is over is remembered for a while, and then forgotten by all of its owners.
//!
//! **Invariant.** A tombstone goes when it is old enough, all owners acknowledged it in one view, and then, in that same view,
//! so much time has passed that no operation is left that began before those acknowledgements. From the moment of the last
//! acknowledgement no owner has anything else to send. It leaves its ballot behind as a floor, so whatever is still on its way
//! is below that; and the key of a user's list is used again (see `replica`).
//!
//! Its age goes along with it to new owners, and a change of view costs a round or two: what is remembered does not pile up where
//! processes are replaced more often than ends are forgotten.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::{Ballot, NodeId};
use super::message::Body;
use super::node::{Chore, Node};
use super::replica::Cell;
use super::slots::SlotId;
use super::steps;
use super::value::{Digest, Key};
use super::variant::Variant;

/// How many tombstones one node has go at a time.
pub(crate) const AT_ONCE: usize = 1_024;
/// How often they are looked for.
const OFTEN: Duration = Duration::from_secs(10);
/// How often where more are known to wait: those of a busy cluster, and those that a change of view kept from going.
const SOON: Duration = Duration::from_secs(1);

/// Tombstones for which the other owners are asked, and those that go.
#[derive(Debug, Default)]
pub(crate) struct Burials {
    round: u64,
    view: u64,
    asked: BTreeMap<Key, (Ballot, BTreeSet<NodeId>)>,
    /// Not all were asked for that could have been.
    is_full: bool,
    next: Duration,
    /// Slots in which something is settled.
    settled: BTreeSet<SlotId>,
}

impl Burials {
    pub(crate) fn len(&self) -> usize {
        self.asked.len()
    }

    /// Whether the next round is due. What the others did not answer keeps it from coming early.
    fn is_due(&self, now: Duration, view: u64) -> bool {
        let is_early = self.view != view || self.is_full && self.asked.is_empty();
        is_early || now >= self.next
    }
}

impl Node {
    pub(crate) fn bury_on(&mut self) {
        let (now, eighth) = (self.now.elapsed, self.settings.tombstone / 8);
        if !self.phase.serves() || !self.every(Chore::Bury, SOON.min(eighth)) {
            return;
        }
        self.forget_settled();
        if self.all_synced() && self.burials.is_due(now, self.views.number()) {
            self.burials.next = now + OFTEN.min(eighth);
            self.mend_unburied();
            self.ask_to_bury();
        }
    }

    fn forget_settled(&mut self) {
        let (now, view) = (self.now.elapsed, self.views.number());
        let wait = 2 * self.settings.operation;
        let by_timer = self.is_broken(Variant::TombstoneByTimer);
        let no_floor = self.is_broken(Variant::NoFloor);
        let keep = self.settings.tombstone;
        let slots = match by_timer {
            true => self.copies.keys().copied().collect(),
            false => std::mem::take(&mut self.burials.settled),
        };
        let mut gone = 0;
        for slot in slots {
            let Some(copy) = self.serving_mut(slot) else { continue };
            let floor = copy.floor;
            gone += copy.forget(|cell| {
                let settled = cell
                    .settled
                    .as_deref()
                    .is_some_and(|(in_view, at)| *in_view == view && now >= *at + wait);
                let old = by_timer && cell.is_tombstone() && is_old(cell, keep, now);
                !(settled || old)
            });
            if no_floor {
                copy.floor = floor;
            }
            if copy.cells.values().any(|cell| cell.settled.is_some()) {
                self.burials.settled.insert(slot);
            }
        }
        if gone > 0 {
            self.step(steps::FORGOTTEN);
        }
    }

    /// Not every owner said that it has these: they are given to all of them.
    fn mend_unburied(&mut self) {
        let asked = std::mem::take(&mut self.burials.asked);
        for key in asked.into_keys() {
            self.step(steps::UNBURIED);
            self.mend(key);
        }
    }

    fn ask_to_bury(&mut self) {
        let (now, view) = (self.now.elapsed, self.views.number());
        let Some(placed) = self.views.current().cloned() else { return };
        self.burials.round += 1;
        self.burials.view = view;
        let (round, keep, me) = (self.burials.round, self.settings.tombstone, self.me.id);
        let mut asked: BTreeMap<NodeId, Vec<(Key, Ballot, Digest)>> = BTreeMap::new();
        let (mut left, suspects) = (AT_ONCE, self.suspects());
        for slot in self.led_slots() {
            let Some(copy) = self.copies.get(&slot) else { continue };
            // Who does not answer cannot say that it has them.
            if placed.owners(slot).iter().any(|owner| suspects.contains(owner)) {
                continue;
            }
            let unsettled = |cell: &Cell| cell.settled.as_deref().is_none_or(|(in_view, _)| *in_view != view);
            let old = copy.cells.iter().filter(|(_, cell)| {
                let quiet = cell.promised == cell.generation;
                cell.is_tombstone() && quiet && is_old(cell, keep, now) && unsettled(cell)
            });
            for (key, cell) in old.take(left) {
                left -= 1;
                self.burials.asked.insert(*key, (cell.generation, BTreeSet::from([me])));
                for owner in placed.owners(slot) {
                    asked.entry(owner).or_default().push((*key, cell.generation, cell.digest()));
                }
            }
        }
        self.burials.is_full = left == 0;
        for (owner, dead) in asked {
            self.send(owner, Body::Bury { dead, round });
        }
    }

    pub(crate) fn on_bury(&mut self, from: NodeId, view: u64, dead: &[(Key, Ballot, Digest)], round: u64) {
        if view != self.views.number() {
            return;
        }
        let has = |(key, generation, digest): &&(Key, Ballot, Digest)| {
            let cell = self.serving(self.slot(key)).and_then(|copy| copy.cells.get(key));
            cell.is_some_and(|cell| {
                cell.is_tombstone() && cell.generation == *generation && cell.digest() == *digest
            })
        };
        let dead: Vec<Key> = dead.iter().filter(has).map(|(key, ..)| *key).collect();
        if !dead.is_empty() {
            self.send(from, Body::Buried { dead, round });
        }
    }

    pub(crate) fn on_buried(&mut self, from: NodeId, view: u64, dead: &[Key], round: u64) {
        let current = self.views.number();
        if view != current || self.burials.view != current || self.burials.round != round {
            return;
        }
        let mut settled: BTreeMap<NodeId, Vec<(Key, Ballot)>> = BTreeMap::new();
        for key in dead {
            let owners = self.owners(key);
            let Some((generation, by)) = self.burials.asked.get_mut(key) else { continue };
            by.insert(from);
            if owners.iter().all(|owner| by.contains(owner)) {
                let generation = *generation;
                self.burials.asked.remove(key);
                owners.iter().for_each(|owner| settled.entry(*owner).or_default().push((*key, generation)));
            }
        }
        for (owner, dead) in settled {
            self.step(steps::BURIED);
            self.send(owner, Body::Settled { dead });
        }
    }

    pub(crate) fn on_settled(&mut self, view: u64, dead: &[(Key, Ballot)]) {
        let (now, current) = (self.now.elapsed, self.views.number());
        if view != current {
            return;
        }
        for (key, generation) in dead {
            let slot = self.slot(key);
            let cell = self.serving_mut(slot).and_then(|copy| copy.cells.get_mut(key));
            if let Some(cell) = cell.filter(|cell| cell.is_tombstone() && cell.generation == *generation) {
                cell.settled = Some(Box::new((current, now)));
                self.burials.settled.insert(slot);
            }
        }
    }
}

fn is_old(cell: &Cell, keep: Duration, now: Duration) -> bool {
    Duration::from_secs(cell.age(now).into()) >= keep
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: Duration = Duration::from_secs(10);

    #[test]
    fn a_round_comes_early_after_a_change_of_view_and_after_a_full_one_that_all_answered() {
        let mut burials = Burials { view: 7, next: NEXT, ..Burials::default() };
        assert!(!burials.is_due(Duration::ZERO, 7));
        assert!(burials.is_due(NEXT, 7));
        assert!(burials.is_due(Duration::ZERO, 8), "what settled in the view before has to settle again");
        burials.is_full = true;
        assert!(burials.is_due(Duration::ZERO, 7), "more of them wait");
        burials.asked.insert(Key::User([1; 16]), (Ballot::ZERO, BTreeSet::new()));
        assert!(!burials.is_due(Duration::ZERO, 7), "what somebody lacks is mended first, and in its time");
    }
}
