//! Anti-entropy: the first owner of a slot compares with the others what they hold, and mends what differs.
//!
//! **Invariant.** Mending is a read that every owner has to agree with: it stores what a reader would have found, and so
//! brings nothing back that was overtaken.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::edit::Edit;
use super::ids::NodeId;
use super::message::{Body, Has};
use super::node::{Chore, Node};
use super::operation::{Asker, Work};
use super::slots::SlotId;
use super::steps;
use super::value::{Digest, Key};

/// How many keys are mended at a time.
const AT_ONCE: usize = 64;
/// How long a promise may stand before its proposer is taken for gone.
const DANGLING: Duration = Duration::from_secs(5);

type Held = Vec<(SlotId, Has)>;

impl Node {
    pub(crate) fn repair_on(&mut self) {
        if !self.phase.serves() || !self.every(Chore::Repair, self.settings.repair) {
            return;
        }
        let Some(placed) = self.views.current().cloned() else { return };
        let mut roots: BTreeMap<NodeId, Vec<(SlotId, Digest)>> = BTreeMap::new();
        for slot in self.led_slots() {
            let Some(copy) = self.copies.get(&slot) else { continue };
            let root = copy.root();
            for owner in placed.owners(slot).iter().filter(|owner| **owner != self.me.id) {
                roots.entry(*owner).or_default().push((slot, root));
            }
        }
        for (owner, roots) in roots {
            self.send(owner, Body::Roots { roots });
        }
        self.settle_promises();
    }

    /// A proposer that died left promises behind that keep blind writes out.
    fn settle_promises(&mut self) {
        let now = self.now.elapsed;
        let mut dangling: Vec<Key> = Vec::new();
        for (slot, copy) in &self.copies {
            if self.serving(*slot).is_some() {
                let cells = copy.cells.iter().filter(|(_, cell)| cell.promised > cell.generation);
                dangling.extend(cells.map(|(key, _)| *key));
            }
        }
        let before = std::mem::take(&mut self.dangling);
        for key in dangling {
            let since = before.get(&key).copied().unwrap_or(now);
            if now.saturating_sub(since) >= DANGLING.min(self.settings.repair) {
                self.step(steps::SETTLES_PROMISE);
                self.operate(key, Work::Edit(Edit::Keep), Asker::Nobody);
            } else {
                self.dangling.insert(key, since);
            }
        }
    }

    pub(crate) fn on_roots(&mut self, from: NodeId, view: u64, roots: &[(SlotId, Digest)]) {
        if view != self.views.number() {
            return;
        }
        let mut slots: Held = Vec::new();
        for (slot, root) in roots {
            let Some(copy) = self.serving(*slot) else { continue };
            if copy.root() != *root {
                slots.push((*slot, copy.told().collect()));
            }
        }
        if !slots.is_empty() {
            self.step(steps::TELLS_DIFFERENCE);
            self.send(from, Body::Differing { slots });
        }
    }

    pub(crate) fn on_differing(&mut self, view: u64, slots: Held) {
        if view != self.views.number() {
            return;
        }
        let mut differing: BTreeSet<Key> = BTreeSet::new();
        for (slot, theirs) in slots {
            let Some(copy) = self.serving(slot) else { continue };
            let ours: BTreeSet<_> = copy.told().collect();
            let theirs: BTreeSet<_> = theirs.into_iter().collect();
            differing.extend(ours.symmetric_difference(&theirs).map(|(key, _, _)| *key));
        }
        differing.into_iter().take(AT_ONCE).for_each(|key| self.mend(key));
    }
}
