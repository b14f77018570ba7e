//! Views: the numbered member lists.
//!
//! **Invariant.** A view, once chosen, is the only one of its cluster and number; a node knows an unbroken row of views, and
//! acts in the last one alone.

use std::collections::VecDeque;
use std::sync::Arc;

use abide_core::SessionKey;
use serde::{Deserialize, Serialize};

use super::ids::{ClusterId, Member, NodeId};
use super::slots::{Owners, SlotId, majority, owners_of, slot_of};
use super::value::Key;

/// How many views a node remembers: those that may still have to hand something over.
pub(crate) const REMEMBERED: usize = 64;
/// How many are told to a node that lags or joins.
const TOLD: usize = 8;

/// Who is in the cluster, as of a number.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "super::wire::WrittenView")]
pub struct View {
    /// Of which cluster.
    pub cluster: ClusterId,
    /// One more than that of the view before.
    pub number: u64,
    /// The members, by their ids.
    pub members: Vec<Member>,
    /// How many copies of each record there are, where there are as many members.
    pub copies: u8,
    /// How many slots there are.
    pub slots: u16,
    /// Whether an operator made it of what was left: then a slot is taken over from every owner that survived, for there
    /// may be no majority of them.
    pub recovered: bool,
}

impl View {
    /// The member of this id.
    #[must_use]
    pub fn member(&self, id: NodeId) -> Option<&Member> {
        self.members.binary_search_by_key(&id, |member| member.id).ok().map(|at| &self.members[at])
    }

    /// Whether this process is a member.
    #[must_use]
    pub fn has(&self, id: NodeId) -> bool {
        self.member(id).is_some()
    }

    /// Who keeps a copy of a session, the one first that proposes and answers for it.
    #[doc(hidden)]
    #[must_use]
    pub fn owners(&self, key: &SessionKey) -> Vec<NodeId> {
        owners_of(slot_of(&Key::Session(*key), self.slots), &self.members, self.copies).to_vec()
    }

    /// Whether it may come after another one. What slots there are, and how many copies, is decided once.
    pub(crate) fn follows(&self, last: &Self) -> bool {
        let is_ours = self.cluster == last.cluster || self.recovered;
        is_ours && self.number == last.number + 1 && (self.copies, self.slots) == (last.copies, last.slots)
    }

    pub(crate) fn majority(&self) -> usize {
        majority(self.members.len())
    }

    /// The view after this one, with some members more and some less.
    pub(crate) fn next(&self, joins: &[Member], leaves: &[NodeId]) -> Self {
        let stays = |member: &&Member| !leaves.contains(&member.id);
        let mut members: Vec<Member> = self.members.iter().filter(stays).copied().collect();
        members.extend(joins.iter().filter(|join| !self.has(join.id)));
        members.sort_unstable();
        Self { number: self.number + 1, members, recovered: false, ..self.clone() }
    }
}

/// A view with the owners of its slots.
///
/// Many views are remembered, so an owner is written as its place among the members.
#[derive(Debug)]
pub(crate) struct Placed {
    pub(crate) view: View,
    /// The owners of one slot after those of another.
    places: Box<[u16]>,
    /// How many owners a slot has.
    each: usize,
}

impl Placed {
    pub(crate) fn new(view: View) -> Self {
        let place = |id: NodeId| {
            view.members.binary_search_by_key(&id, |member| member.id).unwrap_or_default() as u16
        };
        let owners = (0..view.slots).flat_map(|slot| owners_of(slot, &view.members, view.copies));
        let places = owners.map(place).collect();
        let each = usize::from(view.copies).min(view.members.len());
        Self { view, places, each }
    }

    pub(crate) fn owners(&self, slot: SlotId) -> Owners {
        let first = usize::from(slot) * self.each;
        let places = self.places.get(first..first + self.each).unwrap_or_default();
        places.iter().map(|place| self.view.members[usize::from(*place)].id).collect()
    }

    pub(crate) fn slots(&self) -> impl Iterator<Item = SlotId> + use<> {
        0..self.view.slots
    }
}

/// The views that a node knows.
#[derive(Debug, Default)]
pub(crate) struct Views {
    known: VecDeque<Arc<Placed>>,
}

impl Views {
    pub(crate) fn len(&self) -> usize {
        self.known.len()
    }

    /// The last one.
    pub(crate) fn current(&self) -> Option<&Arc<Placed>> {
        self.known.back()
    }

    /// The number of the last one, zero before there is one.
    pub(crate) fn number(&self) -> u64 {
        self.current().map_or(0, |placed| placed.view.number)
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Arc<Placed>> {
        let first = self.known.front()?.view.number;
        self.known.get(usize::try_from(number.checked_sub(first)?).ok()?)
    }

    /// Takes a chosen view that follows on the last one. Answers whether it was news.
    pub(crate) fn learn(&mut self, view: View) -> bool {
        let follows = self.current().is_none_or(|last| view.follows(&last.view));
        if follows {
            self.known.push_back(Arc::new(Placed::new(view)));
            if self.known.len() > REMEMBERED {
                self.known.pop_front();
            }
        }
        follows
    }

    /// Whether a process is, or was, a member.
    pub(crate) fn ever_had(&self, id: NodeId) -> bool {
        self.known.iter().any(|placed| placed.view.has(id))
    }

    /// The last views after `number`, oldest first: what somebody needs to know who is there.
    pub(crate) fn after(&self, number: u64) -> Vec<View> {
        let told = self.known.iter().rev().take(TOLD).rev();
        let from_there = self.get(number).is_some();
        let all = self.known.iter().filter(|placed| placed.view.number > number);
        let views = |placed: &Arc<Placed>| placed.view.clone();
        if from_there { all.map(views).collect() } else { told.map(views).collect() }
    }
}
