//! Copying slots in advance, while the view before serves: what this node will own by the leader's plan.
//!
//! **Invariant.** What is copied here saves bytes when the view comes, and adds nothing to what the sealed majority tells: see
//! `transfer`.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::{Ballot, NodeId};
use super::message::{Body, Entry, Has};
use super::node::Node;
use super::slots::SlotId;
use super::steps;
use super::transfer::AT_ONCE;
use super::value::{Digest, Held, Key};
use super::view::View;

/// How long a plan stands after the leader last told it, which it does all the time.
const PLANNED: Duration = Duration::from_secs(3);

pub(super) type Bulk = BTreeMap<Key, (Ballot, Digest, Held)>;

/// What is copied in advance.
#[derive(Debug)]
pub(super) struct Planned {
    plan: u64,
    leader: NodeId,
    left: BTreeSet<SlotId>,
    /// As of a [`Transfer`].
    asked: BTreeSet<SlotId>,
    tries: usize,
    /// When the leader last told it.
    told: Duration,
}

impl Node {
    /// Nobody stands by the plan any more.
    pub(super) fn drop_old_plan(&mut self) {
        let now = self.now.elapsed;
        if self.transfer.plan.as_ref().is_some_and(|planned| now.saturating_sub(planned.told) > PLANNED) {
            self.transfer.plan = None;
        }
    }

    /// Copies in advance what this node will own.
    pub(crate) fn on_plan(&mut self, leader: NodeId, view: View, plan: u64) {
        let follows = self.views.current().is_some_and(|placed| view.follows(&placed.view));
        if !follows || !view.has(self.me.id) {
            return;
        }
        if self.transfer.plan.as_ref().is_none_or(|planned| planned.plan != plan) {
            let slots = (0..view.slots).filter(|slot| {
                super::slots::owners_of(*slot, &view.members, view.copies).contains(&self.me.id)
            });
            let left: BTreeSet<SlotId> = slots.filter(|slot| self.serving(*slot).is_none()).collect();
            self.transfer.bulk.retain(|slot, _| left.contains(slot));
            let (asked, told) = (BTreeSet::new(), self.now.elapsed);
            self.transfer.plan = Some(Planned { plan, leader, left, asked, tries: 0, told });
        }
        if let Some(planned) = &mut self.transfer.plan {
            planned.told = self.now.elapsed;
        }
        self.copy_on();
    }

    pub(super) fn copy_on(&mut self) {
        let Some(planned) = &mut self.transfer.plan else { return };
        planned.tries += 1;
        let (tries, plan, leader) = (planned.tries, planned.plan, planned.leader);
        if planned.left.is_empty() {
            return self.send(leader, Body::Planned { plan });
        }
        let Some(placed) = self.views.current().cloned() else { return };
        planned.asked = planned.left.iter().copied().take(AT_ONCE).collect();
        let slots = planned.asked.clone();
        let mut asked: BTreeMap<NodeId, Vec<(SlotId, Has)>> = BTreeMap::new();
        for slot in slots {
            let owners: Vec<NodeId> =
                placed.owners(slot).iter().copied().filter(|id| *id != self.me.id).collect();
            if let Some(source) = owners.get(tries % owners.len().max(1)) {
                asked.entry(*source).or_default().push((slot, self.has(slot)));
            }
        }
        asked.into_iter().for_each(|(source, parts)| self.send(source, Body::Pull { target: 0, parts }));
    }

    pub(super) fn copied(&mut self, slot: SlotId, entries: Vec<Entry>) {
        let Some(planned) = &mut self.transfer.plan else { return };
        if !planned.left.remove(&slot) {
            return;
        }
        let was_last = planned.asked.remove(&slot) && planned.asked.is_empty();
        let is_all = planned.left.is_empty();
        let bulk = self.transfer.bulk.entry(slot).or_default();
        for entry in entries {
            if let Some(held) = entry.value {
                bulk.insert(entry.key, (entry.generation, entry.digest, held));
            }
        }
        if is_all {
            self.step(steps::COPIED);
        }
        if is_all || was_last {
            self.copy_on();
        }
    }
}
