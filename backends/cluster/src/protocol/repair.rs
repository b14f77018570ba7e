//! Anti-entropy: the first owner of a slot compares with the others what they hold, and mends what differs. One digest for all
//! the slots that two nodes share says whether anything does; then the digests of the slots are told, and then the keys.
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
type Roots = Vec<(SlotId, Digest)>;

/// One digest for all of them.
fn all_of(roots: &Roots) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (slot, root) in roots {
        hasher.update(&slot.to_be_bytes());
        hasher.update(&root.0);
    }
    Digest::of(&hasher)
}

impl Node {
    pub(crate) fn repair_on(&mut self) {
        if !self.phase.serves() || !self.every(Chore::Repair, self.settings.repair) {
            return;
        }
        let me = self.me.id;
        for (owner, roots) in self.roots_led_by(me) {
            self.send(owner, Body::Root { root: all_of(&roots) });
        }
        self.settle_promises();
    }

    /// What this node has of the slots of which another one, or itself, is the first owner that it does not suspect: for each
    /// further owner, this node or others.
    fn roots_led_by(&self, leader: NodeId) -> BTreeMap<NodeId, Roots> {
        let Some(placed) = self.views.current() else { return BTreeMap::new() };
        let mut roots: BTreeMap<NodeId, Roots> = BTreeMap::new();
        for (slot, copy) in &self.copies {
            let owners = placed.owners(*slot);
            let first = owners.iter().find(|id| !self.is_suspect(**id));
            if first != Some(&leader) || self.serving(*slot).is_none() {
                continue;
            }
            let root = copy.root();
            for owner in owners.iter().filter(|owner| **owner != leader) {
                roots.entry(*owner).or_default().push((*slot, root));
            }
        }
        roots
    }

    pub(crate) fn on_root(&mut self, from: NodeId, view: u64, root: Digest) {
        let me = self.me.id;
        if view == self.views.number() && self.roots_led_by(from).get(&me).map(all_of) != Some(root) {
            self.send(from, Body::RootsPlease);
        }
    }

    pub(crate) fn on_roots_please(&mut self, from: NodeId, view: u64) {
        let me = self.me.id;
        if view != self.views.number() {
            return;
        }
        if let Some(roots) = self.roots_led_by(me).remove(&from) {
            self.send(from, Body::Roots { roots });
        }
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
