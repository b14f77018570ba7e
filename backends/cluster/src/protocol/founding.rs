//! Founding a cluster, finding one, and meeting another one.
//!
//! **Invariants.**
//! 1. A node founds a cluster only while every address at which another could be has granted it or refuses connections, more
//!    than half of them granted, and no cluster was heard of for a while, be it that it wrote to the process that was here
//!    before. An address that does not answer stops it.
//!    Only who is itself listed among these addresses founds one.
//! 2. A node grants to one candidate at a time, itself included, for longer than the candidate relies on it. Both times are
//!    counted from before the grant, each on its own monotonic clock.
//! 3. Of two clusters that meet, the one that serves goes on; of two that serve, the older one.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use super::ids::{ClusterId, Member, NodeId};
use super::message::{Body, Message, Probed};
use super::node::{Chore, Node, Phase};
use super::slots::majority;
use super::steps;
use super::transfer::Transfer;
use super::view::{View, Views};

const PROBE_EVERY: Duration = Duration::from_millis(250);
/// How long a candidate relies on a grant after it asked for it.
const RELIED_ON: Duration = Duration::from_secs(1);
/// How long a grant binds who gave it.
const BINDING: Duration = Duration::from_secs(2);
/// How long after hearing nothing of its cluster a joiner looks for another one.
const LOST: Duration = Duration::from_secs(4);
const ANNOUNCE_EVERY: Duration = Duration::from_secs(1);

/// What a node knows before it is in a cluster, and of other clusters.
#[derive(Debug, Default)]
pub(crate) struct Founding {
    since: Option<Duration>,
    /// To whom this node granted, and until when.
    granted: Option<(NodeId, Duration)>,
    answers: BTreeMap<SocketAddr, (bool, Duration)>,
    /// Questions under way, and when they were asked.
    asked: BTreeMap<u64, Duration>,
    pub(crate) contacts: Vec<Member>,
    /// When the cluster that this node wants to join was last heard of.
    heard: Duration,
}

impl Founding {
    pub(crate) fn asked(&self) -> usize {
        self.asked.len()
    }
}

impl Node {
    fn others(&self) -> Vec<SocketAddr> {
        self.settings.join.iter().copied().filter(|address| *address != self.me.address).collect()
    }

    pub(crate) fn found_on(&mut self) {
        if self.phase == Phase::Joining && self.now.elapsed.saturating_sub(self.founding.heard) > LOST {
            self.step(steps::JOIN_LOOKS_AGAIN);
            self.look_again();
        }
        if self.phase != Phase::Founding {
            return;
        }
        let now = self.now.elapsed;
        let since = *self.founding.since.get_or_insert(now);
        if self.settings.join.is_empty() && self.settings.expect == 0 {
            return self.found_cluster();
        }
        // Who is bound to another one keeps nobody bound to itself, and who is not listed would keep those from it who are.
        let founds = self.settings.join.contains(&self.me.address) && self.grant(self.me.id);
        if self.every(Chore::Contact, PROBE_EVERY) {
            let round = self.ask_round();
            let probe = || Body::Probe { round, founds };
            self.others().into_iter().for_each(|address| self.send_to_address(address, probe()));
        }
        if now.saturating_sub(since) >= self.settings.silence && self.may_found() {
            self.found_cluster();
        }
    }

    fn look_again(&mut self) {
        self.forget_cluster();
        (self.phase, self.founding) = (Phase::Founding, Founding::default());
    }

    /// Nothing that was known of a cluster is true of another one, nor of this one after a gap: not how far anybody was.
    pub(crate) fn forget_cluster(&mut self) {
        self.cluster = None;
        (self.views, self.transfer) = (Views::default(), Transfer::default());
        self.copies.clear();
        self.peers.values_mut().for_each(|peer| peer.synced = 0);
    }

    fn ask_round(&mut self) -> u64 {
        let (round, now) = (self.draws.next(), self.now.elapsed);
        self.founding.asked.retain(|_, at| now.saturating_sub(*at) < RELIED_ON);
        self.founding.asked.insert(round, now);
        round
    }

    /// Binds this node to a candidate, unless it is bound to another. A candidate lets one of a lesser id go first: it has
    /// not founded, and does not while it is bound.
    fn grant(&mut self, candidate: NodeId) -> bool {
        let now = self.now.elapsed;
        let free = match self.founding.granted {
            Some((bound, until)) => {
                bound == candidate || until <= now || (bound == self.me.id && candidate < self.me.id)
            }
            None => true,
        };
        if free {
            self.founding.granted = Some((candidate, now + BINDING));
        }
        free
    }

    fn may_found(&self) -> bool {
        let now = self.now.elapsed;
        let own = self.founding.granted.is_some_and(|(bound, until)| bound == self.me.id && now < until);
        let others = self.others();
        let known = |address: &SocketAddr| {
            let answer = self.founding.answers.get(address);
            answer.filter(|(_, at)| now.saturating_sub(*at) < RELIED_ON).map(|(granted, _)| *granted)
        };
        let answers: Vec<Option<bool>> = others.iter().map(known).collect();
        let listed = usize::from(self.settings.join.contains(&self.me.address));
        let granted = answers.iter().filter(|answer| **answer == Some(true)).count() + listed;
        own && answers.iter().all(Option::is_some)
            && granted >= majority(self.settings.join.len().max(self.settings.expect))
    }

    fn found_cluster(&mut self) {
        self.step(steps::FOUNDS);
        let cluster = ClusterId { founded: self.now.wall.as_millis(), nonce: self.draws.next() };
        let (copies, slots) = (self.settings.copies.max(1), self.settings.slots.max(1));
        let members = vec![self.me];
        self.phase = Phase::Joining;
        self.on_views(vec![View { cluster, number: 1, members, copies, slots, recovered: false }]);
    }

    pub(crate) fn on_refused(&mut self, address: SocketAddr) {
        let now = self.now.elapsed;
        if self.phase == Phase::Founding {
            self.step(steps::FOUNDING_REFUSED);
            self.founding.answers.insert(address, (false, now));
        }
    }

    pub(crate) fn on_probe(&mut self, from: Member, round: u64, founds: bool) {
        let answer = match (self.phase, self.cluster) {
            (Phase::Member | Phase::Leaving, Some(cluster)) => self.own_cluster(cluster),
            (Phase::Founding, _) if founds && self.grant(from.id) => {
                self.step(steps::GRANTS);
                Probed::Granted
            }
            _ => Probed::Busy,
        };
        self.send_to(from, Body::Probed { round, answer });
    }

    fn own_cluster(&self, cluster: ClusterId) -> Probed {
        let contacts = self.views.current().map(|placed| placed.view.members.clone()).unwrap_or_default();
        Probed::Cluster { cluster, serves: self.has_majority(), contacts }
    }

    /// Whether it hears a majority of the members.
    pub(crate) fn has_majority(&self) -> bool {
        self.views
            .current()
            .is_some_and(|placed| placed.view.members.len() - self.suspects().len() >= placed.view.majority())
    }

    pub(crate) fn on_probed(&mut self, from: Member, round: u64, answer: Probed) {
        let Some(asked) = self.founding.asked.get(&round).copied() else { return };
        match (answer, self.phase) {
            (Probed::Cluster { cluster, contacts, .. }, Phase::Founding) => {
                self.meet(cluster, &contacts);
            }
            (Probed::Cluster { cluster, serves, contacts }, Phase::Member)
                if Some(cluster) != self.cluster =>
            {
                // It was recovered, with this node in it, and the word of it got lost.
                if contacts.iter().any(|member| member.id == self.me.id) {
                    return self.ask_for_views(from.id);
                }
                let older = self.cluster.is_some_and(|own| cluster < own);
                if serves && (older || !self.has_majority()) {
                    self.step(steps::YIELDS);
                    self.retire();
                }
            }
            (Probed::Granted, Phase::Founding) => {
                self.founding.answers.insert(from.address, (true, asked));
            }
            (Probed::Busy, Phase::Founding) => drop(self.founding.answers.remove(&from.address)),
            _ => {}
        }
    }

    /// Wants to be in this cluster.
    fn meet(&mut self, cluster: ClusterId, contacts: &[Member]) {
        self.step(steps::JOIN_FOUND);
        (self.phase, self.cluster, self.founding.granted) = (Phase::Joining, Some(cluster), None);
        (self.founding.contacts, self.founding.heard) = (contacts.to_vec(), self.now.elapsed);
        self.contact();
    }

    /// Asks to be taken in.
    pub(crate) fn contact_on(&mut self) {
        if self.phase == Phase::Joining && self.every(Chore::Contact, PROBE_EVERY) {
            self.contact();
        }
    }

    fn contact(&mut self) {
        let contacts = self.founding.contacts.clone();
        let at = self.draws.below(contacts.len() as u64) as usize;
        for member in contacts.iter().cycle().skip(at).take(contacts.len().min(2)) {
            self.send_to(*member, Body::Want { joins: vec![self.me], leaves: Vec::new() });
        }
    }

    /// What comes from the cluster that is to be joined shows that it is there.
    pub(crate) fn note_cluster(&mut self) {
        self.founding.heard = self.now.elapsed;
    }

    /// Members show themselves where others look for them: to those that begin, and to a cluster that was founded beside
    /// theirs.
    pub(crate) fn announce_on(&mut self) {
        let Some(placed) = self.views.current().cloned() else { return };
        let Some(cluster) = self.cluster.filter(|_| self.phase.serves()) else { return };
        if !self.every(Chore::Announce, ANNOUNCE_EVERY) {
            return;
        }
        let is_member =
            |address: &SocketAddr| placed.view.members.iter().any(|member| member.address == *address);
        let contacts = placed.view.members.clone();
        for address in self.others().into_iter().filter(|address| !is_member(address)) {
            self.send_to_address(address, Body::Announce { cluster, contacts: contacts.clone() });
        }
        // A member that is out of reach may have begun anew, in another cluster.
        for id in self.suspects() {
            if let Some(member) = placed.view.member(id) {
                self.send_to_address(member.address, Body::Announce { cluster, contacts: contacts.clone() });
            }
        }
    }

    pub(crate) fn on_announce(&mut self, cluster: ClusterId, contacts: &[Member]) {
        let phase = self.phase;
        match phase {
            Phase::Founding => self.meet(cluster, contacts),
            // Those that this node knew may all be gone by now.
            Phase::Joining if Some(cluster) == self.cluster => self.founding.contacts = contacts.to_vec(),
            Phase::Member if Some(cluster) != self.cluster && self.every(Chore::Meet, ANNOUNCE_EVERY) => {
                // It may be long gone: its word alone stops nobody.
                let round = self.ask_round();
                contacts
                    .iter()
                    .take(3)
                    .for_each(|contact| self.send_to(*contact, Body::Probe { round, founds: false }));
            }
            _ => {}
        }
    }

    /// A message for the process that was here before: its cluster may not know yet that it is gone, and so not say of itself
    /// that it is there.
    pub(crate) fn on_anothers(&mut self, message: &Message) {
        if self.phase != Phase::Founding || message.cluster.is_none() {
            return;
        }
        self.founding.since = Some(self.now.elapsed);
        // Whoever wrote it may be gone, too.
        if self.every(Chore::Meet, PROBE_EVERY) {
            let round = self.ask_round();
            self.send_to(message.from, Body::Probe { round, founds: false });
        }
    }

    /// A message from another cluster.
    pub(crate) fn on_other_cluster(&mut self, message: Message) {
        match message.body {
            Body::Probe { round, founds } => {
                self.on_probe(message.from, round, founds);
                // It may be this one that has to yield.
                self.on_announce(message.cluster.unwrap_or_default(), &[message.from]);
            }
            Body::Probed { round, answer } => self.on_probed(message.from, round, answer),
            Body::Announce { cluster, contacts } => self.on_announce(cluster, &contacts),
            Body::Views { views } => self.on_recovered_views(views),
            Body::ViewsPlease { after } => self.on_views_please(message.from, after),
            _ => {
                self.on_announce(message.cluster.unwrap_or_default(), &[message.from]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use abide_core::{Readiness, Timestamp};

    use super::super::io::{Input, Output};
    use super::super::node::tests::give;
    use super::super::settings::Settings;
    use super::*;

    const SLOTS: u16 = 4;

    fn member(id: u8) -> Member {
        Member { id: NodeId(id.into()), address: ([10, 0, 0, id], 7_000).into() }
    }

    fn view(cluster: ClusterId, number: u64, members: &[u8]) -> View {
        let mut members: Vec<Member> = members.iter().copied().map(member).collect();
        members.sort();
        View { cluster, number, members, copies: 3, slots: SLOTS, recovered: false }
    }

    /// What another one says at a time, in milliseconds.
    fn hear(node: &mut Node, at: u64, cluster: ClusterId, view: u64, body: Body) {
        drop(hear_for(node, node.me.id, at, cluster, view, body));
    }

    /// What another one says to somebody who is or was here.
    fn hear_for(
        node: &mut Node,
        to: NodeId,
        at: u64,
        cluster: ClusterId,
        view: u64,
        body: Body,
    ) -> Vec<Output> {
        let message =
            Message { from: member(2), to, cluster: Some(cluster), view, beat: at as u32, echo: 0, body };
        give(node, at, Input::Message(message))
    }

    /// Time passes up to then. Answers when it founded a cluster.
    fn founds(node: &mut Node, times: std::ops::Range<u64>) -> Option<u64> {
        times.step_by(50).find(|at| {
            drop(give(node, *at, Input::Tick));
            node.phase() == Phase::Member
        })
    }

    const OLD: ClusterId = ClusterId { founded: 1, nonce: 1 };

    /// One that nobody else is listed with.
    fn alone() -> Node {
        Node::new(Settings::new(member(1), vec![member(1).address], 7))
    }

    /// The same, shortly before it would found a cluster, where another one writes to the process that was here before. With it
    /// the round in which it asks that one for its cluster.
    fn written_to() -> (Node, u64) {
        let mut node = alone();
        assert_eq!(founds(&mut node, 0..2_900), None);
        let beat = Body::Beat { wall: Timestamp::default(), synced: 5 };
        let said = hear_for(&mut node, NodeId(99), 2_900, OLD, 5, beat);
        let round = said.into_iter().find_map(|output| match output {
            Output::Send { to, message } if to == member(2).address => match message.body {
                Body::Probe { round, founds: false } => Some(round),
                _ => None,
            },
            _ => None,
        });
        (node, round.expect("it asks who that is"))
    }

    #[test]
    fn who_hears_what_was_meant_for_the_process_before_it_founds_nothing_beside_that_cluster() {
        let (mut node, round) = written_to();
        let answer = Probed::Cluster { cluster: OLD, serves: true, contacts: vec![member(2)] };
        hear(&mut node, 2_901, OLD, 5, Body::Probed { round, answer });
        assert_eq!((node.phase(), node.cluster), (Phase::Joining, Some(OLD)));
    }

    #[test]
    fn what_one_that_is_gone_wrote_holds_up_who_founds_for_as_long_as_if_it_had_begun_then() {
        assert_eq!(founds(&mut alone(), 0..10_000), Some(3_000));
        let (mut node, _) = written_to();
        assert_eq!(founds(&mut node, 2_950..10_000), Some(5_900));
    }

    #[test]
    fn who_joins_another_cluster_than_before_takes_its_slots_over_though_the_other_one_had_come_further() {
        let mut settings = Settings::new(member(1), vec![member(2).address], 7);
        settings.slots = SLOTS;
        let (mut node, contacts) = (Node::new(settings), vec![member(2)]);
        let [old, new] = [1, 2].map(|nonce| ClusterId { founded: nonce, nonce });
        hear(&mut node, 0, old, 5, Body::Announce { cluster: old, contacts: contacts.clone() });
        hear(&mut node, 1, old, 5, Body::Views { views: vec![view(old, 5, &[2])] });
        hear(&mut node, 2, old, 5, Body::Synced { view: 5 });
        (1..120).for_each(|n| drop(give(&mut node, n * 50, Input::Tick)));
        assert_eq!((node.phase(), node.view()), (Phase::Founding, None), "it was heard of no more");

        hear(&mut node, 6_000, new, 2, Body::Announce { cluster: new, contacts });
        let views = vec![view(new, 1, &[2]), view(new, 2, &[1, 2])];
        hear(&mut node, 6_001, new, 2, Body::Views { views });
        assert_eq!(node.phase(), Phase::Member);
        assert_eq!(node.lacking(), usize::from(SLOTS), "slots that are on their way");
        assert_eq!(node.ready(), Readiness::NotReady("copies its sessions".into()));
    }
}
