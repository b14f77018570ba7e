//! What is over is remembered for a while, and then forgotten by all of its owners.
//!
//! **Invariant.** A tombstone goes when it is old enough, all owners acknowledged it in one view, and then, in that same view,
//! so much time has passed that nothing older than those acknowledgements can still arrive. From the moment of the last
//! acknowledgement no owner has anything else to send. It leaves its ballot behind as a floor, for the key of a user's list is used
//! again (see `replica`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::{Ballot, NodeId};
use super::message::Body;
use super::node::{Chore, Node};
use super::slots::SlotId;
use super::steps;
use super::value::{Digest, Key};
use super::variant::Variant;

/// How many tombstones go at a time.
pub(crate) const AT_ONCE: usize = 256;

/// Tombstones for which the other owners are asked.
#[derive(Debug, Default)]
pub(crate) struct Burials {
    round: u64,
    view: u64,
    asked: BTreeMap<Key, (Ballot, BTreeSet<NodeId>)>,
}

impl Burials {
    pub(crate) fn len(&self) -> usize {
        self.asked.len()
    }
}

impl Node {
    pub(crate) fn bury_on(&mut self) {
        let often = (self.settings.tombstone / 8).min(Duration::from_secs(10));
        if !self.phase.serves() || !self.every(Chore::Bury, often) {
            return;
        }
        self.forget_settled();
        self.mend_unburied();
        self.ask_to_bury();
    }

    fn forget_settled(&mut self) {
        let (now, view) = (self.now.elapsed, self.views.number());
        let wait = self.settings.message_age + 2 * self.settings.operation;
        let by_timer = self.is_broken(Variant::TombstoneByTimer);
        let no_floor = self.is_broken(Variant::NoFloor);
        let keep = self.settings.tombstone;
        let served: Vec<SlotId> =
            self.copies.keys().copied().filter(|slot| self.serving(*slot).is_some()).collect();
        let mut gone = 0;
        for slot in served {
            let Some(copy) = self.copies.get_mut(&slot) else { continue };
            let floor = copy.floor;
            gone += copy.forget(|cell| {
                let settled = cell
                    .settled
                    .as_deref()
                    .is_some_and(|(in_view, at)| *in_view == view && now >= *at + wait);
                let old = by_timer && cell.is_tombstone() && now >= cell.since() + keep;
                !(settled || old)
            });
            if no_floor {
                copy.floor = floor;
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
        let mut left = AT_ONCE;
        for slot in self.led_slots() {
            let Some(copy) = self.copies.get(&slot) else { continue };
            let unsettled = |cell: &super::replica::Cell| {
                cell.settled.as_deref().is_none_or(|(in_view, _)| *in_view != view)
            };
            let old = copy.cells.iter().filter(|(_, cell)| {
                let quiet = cell.promised == cell.generation;
                cell.is_tombstone() && quiet && now >= cell.since() + keep && unsettled(cell)
            });
            for (key, cell) in old.take(left) {
                left -= 1;
                self.burials.asked.insert(*key, (cell.generation, BTreeSet::from([me])));
                for owner in placed.owners(slot) {
                    asked.entry(owner).or_default().push((*key, cell.generation, cell.digest()));
                }
            }
        }
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
            }
        }
    }
}
