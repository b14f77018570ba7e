//! A slot moves, in three steps: bulk copy while the view before serves; the owners of the view before seal it, and tell what
//! they hold; an owner counts in the new view once it has joined the answers of a sealed majority.
//!
//! **Invariants.**
//! 1. A copy becomes complete in view `t` by the join of what a majority of the owners in `t - 1` told, each complete in
//!    `t - 1` and sealed; or by the copy of one owner that is complete in `t` or later, which holds all of that.
//! 2. What was copied in bulk, and what this node held in earlier views, saves bytes only. It adds nothing: what the majority
//!    does not tell is gone.
//! 3. In a view that an operator recovered there may be no such majority: there a slot is taken over from every member, each
//!    of which tells what it happens to hold.
//! 4. Promises move with the values, those for keys that were forgotten included. A ballot that a minority stored in `t - 1` stays
//!    above what is decided in `t` without it.

use std::collections::{BTreeMap, BTreeSet};
use std::convert::Infallible;
use std::time::Duration;

use super::bulk::{Bulk, Planned};
use super::cells::Cells;
use super::copies::Copy;
use super::ids::{Ballot, Member, NodeId};
use super::message::{Body, Entry, Has};
use super::node::{Chore, Node, Phase};
use super::replica::Cell;
use super::slots::{SlotId, majority};
use super::steps;
use super::value::{Digest, Held, Key};
use super::variant::Variant;

/// How many slots are asked of one peer at a time.
pub(super) const AT_ONCE: usize = 256;
const PULL_EVERY: Duration = Duration::from_millis(200);
/// Slots on their way to this node.
#[derive(Debug, Default)]
pub(crate) struct Transfer {
    taken: BTreeMap<SlotId, Taking>,
    pub(super) bulk: BTreeMap<SlotId, Bulk>,
    /// What was asked for last and did not come yet. Once it has, the next is asked for.
    asked: BTreeSet<SlotId>,
    /// When they were.
    asked_at: Duration,
    pub(super) plan: Option<Planned>,
    /// Not every slot of the view was looked at yet.
    begins: bool,
    told: u64,
    /// The last view of which every member had all its slots: who needs a slot needs it of a later one.
    settled: u64,
}

impl Transfer {
    /// How many slots are on their way, and how many were copied in advance.
    pub(crate) fn footprint(&self) -> [usize; 2] {
        [self.taken.len(), self.bulk.len()]
    }
}

/// Who is asked for a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// As many of those who held it as have to tell.
    Enough,
    /// Whoever may have it: those who were asked at first may be gone.
    Everybody,
}

/// One slot that this node is to own.
#[derive(Debug)]
struct Taking {
    target: u64,
    answered: BTreeSet<NodeId>,
    /// No ballot that was forgotten is above it.
    floor: Ballot,
    cells: Cells,
}

/// What an owner tells of a slot.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) complete_in: u64,
    pub(crate) entries: Vec<Entry>,
    pub(crate) floor: Ballot,
}

impl Taking {
    /// Takes in what another owner holds. Who does not hold a key that others do may have forgotten a promise for it.
    fn absorb(&mut self, entries: Vec<(Entry, Held)>, floor: Ballot, now: Duration) {
        let told: BTreeSet<Key> = entries.iter().map(|(entry, _)| entry.key).collect();
        for (_, cell) in self.cells.iter_mut().filter(|(key, _)| !told.contains(key)) {
            cell.learn_promise(floor);
        }
        for (entry, held) in entries {
            let Ok(cell) =
                self.cells.get_or_insert(entry.key, || Ok::<_, Infallible>(Cell::above(self.floor)));
            cell.absorb(entry.generation, entry.promised, &held, now);
            if cell.digest() == entry.digest {
                cell.is_as_old(entry.age, now);
            }
        }
        self.floor = self.floor.max(floor);
    }
}

impl Node {
    /// The current view changed: begins to take what this node owns in it.
    pub(crate) fn take_slots(&mut self) {
        if self.is_retired {
            return;
        }
        let Some(placed) = self.views.current().cloned() else { return };
        self.transfer.plan = None;
        // The first slot may be complete before the next one is looked at: that is not all of them.
        self.transfer.begins = true;
        if placed.view.recovered {
            placed.slots().for_each(|slot| self.hold_as_it_is(placed.view.number, slot));
        }
        placed.slots().for_each(|slot| self.take_next(slot));
        self.transfer.begins = false;
        self.pull(Asked::Enough);
        self.synced_if_done();
    }

    /// The first view after that of its copy in which this node owns the slot. A copy that it let go of does not count: what
    /// others hold is later than that.
    fn next_target(&self, slot: SlotId) -> Option<u64> {
        let from = self.copies.get(&slot).map_or(0, |copy| copy.complete_in).max(self.transfer.settled);
        let last = self.views.number();
        let first = last.saturating_sub(64).max(from) + 1;
        (first..=last).find(|number| {
            self.views.get(*number).is_some_and(|placed| placed.owners(slot).contains(&self.me.id))
        })
    }

    fn take_next(&mut self, slot: SlotId) {
        if self.transfer.taken.contains_key(&slot) {
            return;
        }
        let Some(target) = self.next_target(slot) else { return };
        if target == 1 || self.is_broken(Variant::CountAtOnce) {
            let before = self.copies.remove(&slot).unwrap_or_default();
            self.copies.insert(slot, Copy { complete_in: target, ..before });
            return self.take_next(slot);
        }
        let mut taking =
            Taking { target, answered: BTreeSet::new(), floor: Ballot::ZERO, cells: Cells::default() };
        if let Some(own) = self.copies.get(&slot).filter(|copy| copy.complete_in + 1 == target) {
            (taking.floor, taking.cells) = (own.floor, own.cells.clone());
            taking.cells.iter_mut().for_each(|(_, cell)| cell.settled = None);
            if self.is_broken(Variant::ForgetPromises) {
                taking.cells.iter_mut().for_each(|(_, cell)| cell.promised = cell.generation);
            }
            taking.answered.insert(self.me.id);
        }
        self.transfer.taken.insert(slot, taking);
        self.take_if_complete(slot);
    }

    /// From whom a slot is taken over, and how many of them have to tell.
    fn givers(&self, slot: SlotId, target: u64) -> Option<(Vec<NodeId>, usize)> {
        let (before, placed) = (self.views.get(target - 1), self.views.get(target)?);
        if placed.view.recovered {
            let is_there =
                |member: &&Member| self.views.current().is_some_and(|last| last.view.has(member.id));
            let there: Vec<NodeId> =
                placed.view.members.iter().filter(is_there).map(|member| member.id).collect();
            let all = there.len();
            return Some((there, all));
        }
        let owners = before?.owners(slot).to_vec();
        let needed = if self.is_broken(Variant::SyncFromOne) { 1 } else { majority(owners.len()) };
        Some((owners, needed))
    }

    /// Whether enough of those who held the slot have told what they hold.
    fn take_if_complete(&mut self, slot: SlotId) {
        let Some(taking) = self.transfer.taken.get(&slot) else { return };
        let Some((givers, needed)) = self.givers(slot, taking.target) else { return };
        if givers.iter().filter(|giver| taking.answered.contains(giver)).count() >= needed {
            self.step(steps::TOOK_SEALED);
            self.taken(slot);
        }
    }

    /// A view that was recovered: what this node holds of any slot, complete or not, is what it has to tell of the view before.
    fn hold_as_it_is(&mut self, target: u64, slot: SlotId) {
        let now = self.now.elapsed;
        let copy = self.copies.entry(slot).or_default();
        copy.complete_in = copy.complete_in.max(target - 1);
        let Some(taking) = self.transfer.taken.remove(&slot) else { return };
        copy.floor = copy.floor.max(taking.floor);
        for (key, cell) in taking.cells {
            let Ok(own) = copy.cells.get_or_insert(key, || Ok::<_, Infallible>(Cell::default()));
            own.absorb(cell.generation, cell.promised, cell.held(), now);
        }
    }

    /// The slot is complete in its target.
    fn taken(&mut self, slot: SlotId) {
        let Some(taking) = self.transfer.taken.remove(&slot) else { return };
        let Taking { target: complete_in, floor, cells, .. } = taking;
        self.copies.insert(slot, Copy { complete_in, floor, cells });
        self.transfer.bulk.remove(&slot);
        self.take_next(slot);
        self.synced_if_done();
        let was_last = self.transfer.asked.remove(&slot) && self.transfer.asked.is_empty();
        if was_last && !self.transfer.begins {
            self.pull(Asked::Enough);
        }
    }

    /// How many slots are on their way to it.
    pub(crate) fn lacking(&self) -> usize {
        self.transfer.taken.len()
    }

    /// The last view for which this node has all its slots.
    pub(crate) fn synced_in(&self) -> u64 {
        let behind = u64::from(!self.transfer.taken.is_empty() || self.transfer.begins);
        self.views.number().saturating_sub(behind)
    }

    /// Whether it had all its slots once, in this view or an earlier one.
    pub(crate) fn was_synced(&self) -> bool {
        self.transfer.told > 0
    }

    fn synced_if_done(&mut self) {
        let view = self.synced_in();
        if !self.transfer.begins
            && self.transfer.taken.is_empty()
            && self.transfer.told < view
            && self.phase.serves()
        {
            self.transfer.told = view;
            self.step(steps::SYNCED);
            self.tell_synced(view);
        }
    }

    /// Tells the members, and those that left with the last view, for they wait to hand over.
    fn tell_synced(&mut self, view: u64) {
        let now = self.views.current().cloned();
        let before = self.views.get(view.saturating_sub(1)).cloned();
        let members = now.iter().chain(before.iter()).flat_map(|placed| &placed.view.members);
        let others: BTreeSet<Member> = members.copied().filter(|member| member.id != self.me.id).collect();
        others.into_iter().for_each(|member| self.send_to(member, Body::Synced { view }));
    }

    pub(crate) fn on_synced(&mut self, from: NodeId, view: u64) {
        if let Some(peer) = self.peers.get_mut(&from) {
            peer.synced = peer.synced.max(view);
        }
    }

    pub(crate) fn on_synced_please(&mut self, from: NodeId, view: u64) {
        let synced = self.synced_in();
        if synced >= view {
            self.send(from, Body::Synced { view: synced });
        }
    }

    /// Whether every member has all its slots of the current view.
    pub(crate) fn all_synced(&self) -> bool {
        let Some(placed) = self.views.current() else { return false };
        let number = placed.view.number;
        placed.view.members.iter().all(|member| {
            let synced = self.peers.get(&member.id).map_or(0, |peer| peer.synced);
            if member.id == self.me.id { self.synced_in() == number } else { synced == number }
        })
    }

    /// Asks those who did not say whether they have their slots, and lets go of what nobody can need any more.
    pub(crate) fn sync_on(&mut self) {
        if self.views.current().is_none() || !self.every(Chore::Synced, self.settings.beat) {
            return;
        }
        let number = self.views.number();
        if !self.all_synced() {
            let behind = |(id, peer): (&NodeId, &super::peers::Peer)| (peer.synced < number).then_some(*id);
            let behind: Vec<NodeId> = self.peers.iter().filter_map(behind).collect();
            return behind.into_iter().for_each(|id| self.send(id, Body::SyncedPlease { view: number }));
        }
        let Some(placed) = self.views.current().cloned() else { return };
        self.transfer.settled = number;
        let me = self.me.id;
        let before = self.copies.len();
        self.copies.retain(|slot, _| placed.owners(*slot).contains(&me));
        if self.copies.len() < before {
            self.step(steps::LETS_GO);
        }
        if self.transfer.plan.is_none() {
            self.transfer.bulk.clear();
        }
    }

    /// Asks again for what is on its way.
    pub(crate) fn pull_on(&mut self) {
        let now = self.now.elapsed;
        self.drop_old_plan();
        let wants = !self.transfer.taken.is_empty() || self.transfer.plan.is_some();
        if wants && self.every(Chore::Pull, PULL_EVERY) {
            if now.saturating_sub(self.transfer.asked_at) >= PULL_EVERY {
                self.pull(Asked::Everybody);
            }
            self.copy_on();
        }
    }

    fn pull(&mut self, whom: Asked) {
        let next: BTreeSet<SlotId> = self.transfer.taken.keys().copied().take(AT_ONCE).collect();
        self.transfer.asked.clone_from(&next);
        self.transfer.asked_at = self.now.elapsed;
        self.pull_these(&next, whom);
    }

    /// Somebody wants something of a slot: one that is on its way is asked for before its turn.
    pub(crate) fn hasten(&mut self, slot: SlotId) {
        if self.transfer.taken.contains_key(&slot) && self.transfer.asked.insert(slot) {
            self.step(steps::HASTENS);
            self.pull_these(&BTreeSet::from([slot]), Asked::Everybody);
        }
    }

    fn pull_these(&mut self, slots: &BTreeSet<SlotId>, whom: Asked) {
        let mut asked: BTreeMap<(NodeId, u64), Vec<(SlotId, Has)>> = BTreeMap::new();
        for slot in slots {
            let Some(taking) = self.transfer.taken.get(slot) else { continue };
            let has = self.has(*slot);
            for source in self.sources(*slot, taking, whom) {
                asked.entry((source, taking.target)).or_default().push((*slot, has.clone()));
            }
        }
        for ((source, target), parts) in asked {
            self.send(source, Body::Pull { target, parts });
        }
    }

    /// Who is asked for a slot.
    fn sources(&self, slot: SlotId, taking: &Taking, whom: Asked) -> BTreeSet<NodeId> {
        let (givers, needed) = self.givers(slot, taking.target).unwrap_or_default();
        let silent = givers.into_iter().filter(|giver| !taking.answered.contains(giver));
        let missing = needed.saturating_sub(taking.answered.len());
        if whom == Asked::Enough {
            let mut heard: Vec<NodeId> = silent.clone().filter(|giver| !self.is_suspect(*giver)).collect();
            if heard.len() >= missing {
                // Not always the same ones: who comes first for one slot comes last for another.
                let turn = usize::from(slot) % heard.len().max(1);
                heard.rotate_left(turn);
                return heard.into_iter().take(missing).collect();
            }
        }
        // Who told what it sealed may be complete by now, and the others that told may be gone: it is asked again.
        let numbers = [taking.target, self.views.number()];
        let views = numbers.into_iter().filter_map(|number| self.views.get(number));
        let owners = views.flat_map(|placed| placed.owners(slot).to_vec());
        owners.chain(silent).filter(|id| *id != self.me.id).collect()
    }

    pub(super) fn has(&self, slot: SlotId) -> Has {
        let own = self.copies.get(&slot).into_iter().flat_map(|copy| &copy.cells);
        let own = own.map(|(key, cell)| (*key, cell.generation, cell.digest()));
        let bulk = self.transfer.bulk.get(&slot).into_iter().flatten();
        own.chain(bulk.map(|(key, (generation, digest, _))| (*key, *generation, *digest))).collect()
    }

    /// Tells what this node holds of slots: to a new owner, once it is sealed; in bulk, while it serves.
    pub(crate) fn on_pull(&mut self, from: Member, target: u64, parts: Vec<(SlotId, Has)>) {
        let (now, unsealed) = (self.now.elapsed, self.is_broken(Variant::NoSeal));
        if target > self.views.number() && !unsealed {
            return;
        }
        for (slot, has) in parts {
            let copy = match target {
                0 => self.serving(slot),
                _ => self.copies.get(&slot).filter(|copy| copy.complete_in + 1 >= target),
            };
            let Some(copy) = copy else { continue };
            let (complete_in, floor) = (copy.complete_in, copy.floor);
            let has: BTreeSet<(Key, Ballot, Digest)> = has.into_iter().collect();
            let entries = copy.cells.iter().map(|(key, cell)| {
                let known = has.contains(&(*key, cell.generation, cell.digest()));
                Entry {
                    key: *key,
                    generation: cell.generation,
                    promised: cell.promised,
                    digest: cell.digest(),
                    age: cell.age(now),
                    value: (!known).then(|| cell.held().clone()),
                }
            });
            let entries = entries.collect();
            self.step(if target == 0 { steps::TELLS_BULK } else { steps::TELLS_SEALED });
            self.send_to(from, Body::Pulled { target, slot, complete_in, entries, floor });
        }
    }

    pub(crate) fn on_pulled(&mut self, from: NodeId, target: u64, slot: SlotId, told: Told) {
        let Told { complete_in, entries, floor } = told;
        if target == 0 {
            return self.copied(slot, entries);
        }
        let Some(taking) = self.transfer.taken.get(&slot) else { return };
        let is_told = taking.answered.contains(&from) && complete_in < target;
        if taking.target != target || is_told || complete_in + 1 < target {
            return;
        }
        let gives = self.givers(slot, target).is_some_and(|(givers, _)| givers.contains(&from));
        if complete_in + 1 == target && !gives {
            return;
        }
        let entries: Option<Vec<(Entry, Held)>> =
            entries.into_iter().map(|entry| self.value_of(slot, &entry).map(|held| (entry, held))).collect();
        // What it said this node has is not here any more: it is asked again.
        let Some(entries) = entries else { return };
        let (now, forgets) = (self.now.elapsed, self.is_broken(Variant::ForgetPromises));
        let Some(taking) = self.transfer.taken.get_mut(&slot) else { return };
        taking.answered.insert(from);
        let promised = |entry: &Entry| if forgets { entry.generation } else { entry.promised };
        let entries = entries.into_iter().map(|(entry, held)| {
            let promised = promised(&entry);
            (Entry { promised, ..entry }, held)
        });
        taking.absorb(entries.collect(), floor, now);
        if complete_in >= target {
            self.step(steps::TOOK_COMPLETE);
            self.taken(slot);
        } else {
            self.take_if_complete(slot);
        }
    }

    fn value_of(&self, slot: SlotId, entry: &Entry) -> Option<Held> {
        if let Some(held) = &entry.value {
            return Some(held.clone());
        }
        let own = self.copies.get(&slot).and_then(|copy| copy.cells.get(&entry.key));
        if let Some(cell) = own.filter(|cell| cell.digest() == entry.digest) {
            return Some(cell.held().clone());
        }
        let bulk = self.transfer.bulk.get(&slot).and_then(|bulk| bulk.get(&entry.key));
        bulk.filter(|(_, digest, _)| *digest == entry.digest).map(|(_, _, held)| held.clone())
    }

    /// Whether this node handed over all that it held for others.
    pub(crate) fn has_handed_over(&self) -> bool {
        self.phase == Phase::Left && self.all_synced()
    }
}
