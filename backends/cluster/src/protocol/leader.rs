//! Who asks for the next view: the first member that is not suspected. Where two believe that they are, Paxos decides.
//!
//! **Invariant.** A view is proposed once its new owners copied in advance, or took too long; and, but for taking out those
//! that are down, once every member has all its slots of the view before.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::ids::{Member, NodeId};
use super::message::Body;
use super::node::{Chore, Node, Phase};
use super::paxos::{Acceptor, Next, Proposer, Step};
use super::steps;
use super::view::View;

const LEAD_EVERY: Duration = Duration::from_millis(100);
const TELL_EVERY: Duration = Duration::from_millis(500);
/// How long a wish counts after it was last said.
const WISH: Duration = Duration::from_secs(3);
/// How long a joiner counts as being there after it last asked, which it does all the time.
const THERE: Duration = Duration::from_millis(1_200);
/// How long one try at choosing a view may take.
const PROPOSAL: Duration = Duration::from_secs(1);

/// What this node knows of the next view.
#[derive(Debug, Default)]
pub(crate) struct Leader {
    joins: BTreeMap<NodeId, (Member, Duration)>,
    leaves: BTreeMap<NodeId, Duration>,
    plan: Option<Plan>,
    proposer: Option<(Proposer, Duration)>,
    round: u64,
}

impl Leader {
    /// It does not want to go any more.
    pub(crate) fn stays(&mut self, id: NodeId) {
        self.leaves.remove(&id);
    }

    /// How many want to come, and to go.
    pub(crate) fn footprint(&self) -> [usize; 2] {
        [self.joins.len(), self.leaves.len()]
    }
}

#[derive(Debug)]
struct Plan {
    id: u64,
    view: View,
    since: Duration,
    ready: BTreeSet<NodeId>,
    /// Whether members that are down leave by it.
    evicts: bool,
    /// Those that took too long to copy are left out.
    left_out: BTreeSet<NodeId>,
}

impl Node {
    /// The member that asks for the next view.
    pub(crate) fn leading(&self) -> Option<NodeId> {
        let placed = self.views.current()?;
        placed.view.members.iter().map(|member| member.id).find(|id| !self.is_suspect(*id))
    }

    pub(crate) fn on_want(&mut self, joins: &[Member], leaves: &[NodeId]) {
        let (now, number) = (self.now.elapsed, self.views.number());
        if !self.phase.serves() {
            return;
        }
        for join in joins {
            let is_in = self.views.current().is_some_and(|placed| placed.view.has(join.id));
            // Who was a member once is not that process any more, or is on its way out.
            if !is_in && self.views.ever_had(join.id) {
                self.step(steps::JOIN_FORMER_MEMBER);
                self.send_to(*join, Body::Bye);
                continue;
            }
            if !is_in {
                self.leader.joins.insert(join.id, (*join, now));
            }
            let views = self.views.after(number.saturating_sub(2));
            self.send_to(*join, Body::Views { views });
        }
        self.leader.leaves.extend(leaves.iter().map(|leave| (*leave, now)));
    }

    pub(crate) fn lead_on(&mut self) {
        if !self.phase.serves() || !self.every(Chore::Lead, LEAD_EVERY) {
            return;
        }
        let now = self.now.elapsed;
        let fresh = |at: Duration| now.saturating_sub(at) < WISH;
        let is_there = |at: Duration| now.saturating_sub(at) < THERE;
        self.leader.joins.retain(|_, (_, at)| is_there(*at));
        self.leader.leaves.retain(|_, at| fresh(*at));
        if self.phase == Phase::Leaving {
            self.leader.leaves.insert(self.me.id, now);
        }
        if self.leader.proposer.as_ref().is_some_and(|(_, since)| now.saturating_sub(*since) > PROPOSAL) {
            self.leader.proposer = None;
        }
        match self.leading() {
            Some(leading) if leading == self.me.id => self.lead(),
            Some(leading) => self.pass_on(leading),
            None => {}
        }
    }

    /// Tells the leader what others want.
    fn pass_on(&mut self, leading: NodeId) {
        self.leader.plan = None;
        let Some(placed) = self.views.current().cloned() else { return };
        let new = self.leader.joins.values().map(|(member, _)| *member);
        let joins: Vec<Member> = new.filter(|member| !placed.view.has(member.id)).collect();
        let leaves: Vec<NodeId> =
            self.leader.leaves.keys().copied().filter(|id| placed.view.has(*id)).collect();
        let any = !joins.is_empty() || !leaves.is_empty();
        if any && self.every(Chore::Catch, TELL_EVERY) {
            self.send(leading, Body::Want { joins, leaves });
        }
    }

    fn lead(&mut self) {
        let Some(placed) = self.views.current().cloned() else { return };
        if self.leader.proposer.is_some() {
            return;
        }
        let left_out = self.leader.plan.as_ref().map(|plan| plan.left_out.clone()).unwrap_or_default();
        let joins = self.leader.joins.values().map(|(member, _)| *member);
        let joins: Vec<Member> = joins.filter(|join| !left_out.contains(&join.id)).collect();
        // Where a new process listens there is no old one any more.
        let is_replaced = |member: &&Member| joins.iter().any(|join| join.address == member.address);
        let replaced = placed.view.members.iter().filter(is_replaced).map(|member| member.id);
        let gone: Vec<NodeId> = self.evicted().into_iter().chain(replaced).collect();
        if gone.is_empty() && !self.all_synced() {
            return;
        }
        // A view must not be made to depend on who is out of reach: those who want to come or go wait until these are out.
        let all_there = self.suspects().iter().all(|id| gone.contains(id));
        // No more come at once than owners of a slot may be missing, for these may be gone before they have anything.
        let most = usize::from(placed.view.copies / 2).max(1);
        let joins: Vec<Member> = joins.into_iter().filter(|_| all_there).take(most).collect();
        let wished = self.leader.leaves.keys().copied().filter(|_| all_there);
        let leaves = wished.chain(gone.iter().copied());
        let leaves: Vec<NodeId> = leaves.filter(|id| placed.view.has(*id)).collect();
        let view = placed.view.next(&joins, &leaves);
        if view.members == placed.view.members {
            self.leader.plan = None;
            return;
        }
        if view.members.is_empty() {
            return self.retire();
        }
        if self.leader.plan.as_ref().is_none_or(|plan| plan.view != view) {
            let (id, since) = (self.draws.next(), self.now.elapsed);
            let (ready, evicts) = (BTreeSet::new(), !gone.is_empty());
            self.leader.plan = Some(Plan { id, view, since, ready, evicts, left_out });
            self.tell_plan();
        } else if self.every(Chore::Contact, TELL_EVERY) {
            self.tell_plan();
        }
        self.propose_if_planned();
    }

    fn tell_plan(&mut self) {
        let Some(plan) = &self.leader.plan else { return };
        let (view, id) = (plan.view.clone(), plan.id);
        for member in &view.members {
            let body = Body::Plan { view: view.clone(), plan: id };
            if member.id == self.me.id { self.send(member.id, body) } else { self.send_to(*member, body) }
        }
    }

    pub(crate) fn on_planned(&mut self, from: NodeId, id: u64) {
        let Some(plan) = self.leader.plan.as_mut().filter(|plan| plan.id == id) else { return };
        plan.ready.insert(from);
        self.propose_if_planned();
    }

    fn propose_if_planned(&mut self) {
        let now = self.now.elapsed;
        let Some(plan) = &self.leader.plan else { return };
        if self.leader.proposer.is_some() {
            return;
        }
        let current = |id: NodeId| self.peers.contains_key(&id) || id == self.me.id;
        let unready = |member: &&Member| {
            !(plan.ready.contains(&member.id) || current(member.id) && self.is_suspect(member.id))
        };
        let missing: BTreeSet<NodeId> =
            plan.view.members.iter().filter(unready).map(|member| member.id).collect();
        let patience = if plan.evicts { self.settings.copying.min(WISH) } else { self.settings.copying };
        let late = now.saturating_sub(plan.since) > patience;
        if !missing.is_empty() && !late {
            return;
        }
        let newcomers: BTreeSet<NodeId> = missing.into_iter().filter(|id| !current(*id)).collect();
        if newcomers.is_empty() {
            let view = plan.view.clone();
            return self.propose_view(view);
        }
        // Who does not come to copy does not come in.
        if let Some(plan) = &mut self.leader.plan {
            self.leader.joins.retain(|id, _| !newcomers.contains(id));
            plan.left_out.extend(newcomers);
        }
    }

    fn propose_view(&mut self, view: View) {
        let Some(placed) = self.views.current().cloned() else { return };
        self.leader.round += 1 + self.draws.below(2);
        let (number, majority) = (view.number, placed.view.majority());
        let (proposer, step) = Proposer::new(self.leader.round, self.me.id, view, majority);
        self.leader.proposer = Some((proposer, self.now.elapsed));
        self.step(steps::VIEW_PROPOSED);
        self.tell_acceptors(number, &step);
    }

    fn tell_acceptors(&mut self, number: u64, step: &Step) {
        let Some(placed) = self.views.current().cloned() else { return };
        for member in &placed.view.members {
            self.send(member.id, Body::Paxos { number, step: step.clone() });
        }
    }

    pub(crate) fn on_paxos(&mut self, from: NodeId, number: u64, step: Step) {
        let is_next = number == self.views.number() + 1;
        let votes =
            self.phase.serves() && self.views.current().is_some_and(|placed| placed.view.has(self.me.id));
        if !is_next || !votes {
            return self.tell_if_behind(from, number.saturating_sub(1));
        }
        if let Some(answer) = self.acceptor.answer(step.clone()) {
            return self.send(from, Body::Paxos { number, step: answer });
        }
        let Some((proposer, _)) = &mut self.leader.proposer else { return };
        match proposer.hear(from, step) {
            Next::Wait => {}
            Next::Tell(step) => self.tell_acceptors(number, &step),
            Next::Beaten(round) => {
                self.step(steps::VIEW_BEATEN);
                self.leader.round = self.leader.round.max(round);
                self.leader.proposer = None;
            }
            Next::Chosen(view) => {
                self.step(steps::VIEW_CHOSEN);
                self.spread(view);
            }
        }
    }

    /// Tells a chosen view to those that were in the last one and those that are in it.
    pub(crate) fn spread(&mut self, view: View) {
        let before = self.views.current().map(|placed| placed.view.members.clone()).unwrap_or_default();
        let members: BTreeSet<Member> = before.into_iter().chain(view.members.iter().copied()).collect();
        let (number, me) = (view.number, self.me.id);
        self.on_views(vec![view]);
        let views = self.views.after(number.saturating_sub(3));
        for member in members.into_iter().filter(|member| member.id != me) {
            self.send_to(member, Body::Views { views: views.clone() });
        }
    }

    pub(crate) fn on_views(&mut self, views: Vec<View>) {
        let (Some(first), Some(last)) = (views.first(), views.last()) else { return };
        let is_gap = self.views.current().is_some() && first.number > self.views.number() + 1;
        match self.phase {
            // Whoever is no member yet needs nothing of what was before, nor of a cluster that this one was recovered from.
            Phase::Joining if is_gap || self.views.current().is_none() => {
                self.forget_cluster();
                self.cluster = Some(last.cluster);
            }
            Phase::Member | Phase::Leaving if is_gap && self.cluster == Some(last.cluster) => {
                self.step(steps::LAGS);
                return self.retire();
            }
            _ => {}
        }
        for view in views {
            if self.cluster == Some(view.cluster) && self.views.learn(view) {
                self.enter();
            }
        }
    }

    /// The last view is a new one.
    fn enter(&mut self) {
        let Some(placed) = self.views.current().cloned() else { return };
        (self.acceptor, self.leader.plan, self.leader.proposer) = (Acceptor::default(), None, None);
        self.leader.joins.retain(|id, _| !placed.view.has(*id));
        self.founding.contacts.clone_from(&placed.view.members);
        self.keep_peers();
        self.beats_with = self.neighbours().into_iter().collect();
        let is_in = placed.view.has(self.me.id);
        match (self.phase, is_in) {
            (Phase::Joining, true) => {
                self.step(steps::JOINED);
                self.phase = Phase::Member;
            }
            (Phase::Member | Phase::Leaving, false) => {
                let left = self.phase == Phase::Leaving;
                self.step(if left { steps::LEFT } else { steps::EVICTED });
                self.phase = Phase::Left;
            }
            _ => {}
        }
        self.output(super::io::Output::Members(placed.view.members.clone()));
        self.take_slots();
        self.operate_on();
    }

    pub(crate) fn tell_if_behind(&mut self, peer: NodeId, knows: u64) {
        let views = self.views.after(knows);
        if knows < self.views.number() && !views.is_empty() {
            self.send(peer, Body::Views { views });
        }
    }

    pub(crate) fn ask_for_views(&mut self, peer: NodeId) {
        let after = self.views.number();
        self.send(peer, Body::ViewsPlease { after });
    }

    pub(crate) fn on_views_please(&mut self, from: Member, after: u64) {
        let views = self.views.after(after);
        if !views.is_empty() {
            self.send_to(from, Body::Views { views });
        }
    }
}
