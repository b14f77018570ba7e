//! One process of the cluster: what comes in goes to the role that it concerns, and what the roles want done comes out.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use abide_core::{Error, Readiness, Stamps};

use super::copies::Copy;
use super::founding::Founding;
use super::ids::{ClusterId, Draws, Member, NodeId};
use super::io::{Answer, Input, Output, RequestId};
use super::leader::Leader;
use super::message::{Body, Message, Now};
use super::operation::Operations;
use super::paxos::Acceptor;
use super::peers::Peer;
use super::settings::Settings;
use super::slots::SlotId;
use super::transfer::{Told, Transfer};
use super::variant::Variant;
use super::view::Views;

/// Where in its life a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Phase {
    /// It looks for a cluster, or founds one.
    Founding,
    /// It asked to be taken in.
    Joining,
    /// It is a member.
    Member,
    /// It is a member that hands over and goes.
    Leaving,
    /// It is no member any more, and may still be asked for copies.
    Left,
}

impl Phase {
    /// Whether it answers for the slots that it owns.
    pub(crate) fn serves(self) -> bool {
        matches!(self, Self::Member | Self::Leaving)
    }
}

/// What is done every so often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Chore {
    Beat,
    Contact,
    Lead,
    Pull,
    Synced,
    Sweep,
    Repair,
    Bury,
    Catch,
    Announce,
    Meet,
}

/// One process of the cluster.
#[derive(Debug)]
pub struct Node {
    pub(crate) settings: Settings,
    pub(crate) me: Member,
    pub(crate) now: Now,
    pub(crate) phase: Phase,
    pub(crate) draws: Draws,
    pub(crate) stamps: Stamps,
    pub(crate) cluster: Option<ClusterId>,
    pub(crate) views: Views,
    pub(crate) acceptor: Acceptor,
    pub(crate) leader: Leader,
    pub(crate) founding: Founding,
    pub(crate) peers: BTreeMap<NodeId, Peer>,
    pub(crate) beats_with: BTreeSet<NodeId>,
    pub(crate) clock: super::clock::OwnClock,
    pub(crate) copies: BTreeMap<SlotId, Copy>,
    pub(crate) answered: super::copies::Answered,
    pub(crate) transfer: Transfer,
    pub(crate) operations: Operations,
    pub(crate) burials: super::tombstones::Burials,
    pub(crate) scans: super::scan::Scans,
    /// Promises above what is stored, and since when.
    pub(crate) dangling: BTreeMap<super::value::Key, Duration>,
    /// Since when it is no member.
    pub(crate) left: Option<Duration>,
    pub(crate) is_retired: bool,
    /// How often a member was suspected.
    pub(crate) suspicions: u64,
    /// Who sent the message that is being handled: it can be answered whatever views are known.
    pub(crate) speaker: Option<Member>,
    chores: BTreeMap<Chore, Duration>,
    inbox: VecDeque<Message>,
    outputs: Vec<Output>,
    steps: BTreeMap<&'static str, u64>,
}

impl Node {
    /// A process that begins.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut draws = Draws::new(settings.seed);
        Self {
            me: settings.me,
            now: Now::default(),
            phase: Phase::Founding,
            stamps: Stamps::new(draws.next()),
            draws,
            cluster: None,
            views: Views::default(),
            acceptor: Acceptor::default(),
            leader: Leader::default(),
            founding: Founding::default(),
            peers: BTreeMap::new(),
            beats_with: BTreeSet::new(),
            clock: super::clock::OwnClock::default(),
            copies: BTreeMap::new(),
            answered: super::copies::Answered::default(),
            transfer: Transfer::default(),
            operations: Operations::default(),
            burials: super::tombstones::Burials::default(),
            scans: super::scan::Scans::default(),
            dangling: BTreeMap::new(),
            left: None,
            is_retired: false,
            suspicions: 0,
            speaker: None,
            chores: BTreeMap::new(),
            inbox: VecDeque::new(),
            outputs: Vec::new(),
            steps: BTreeMap::new(),
            settings,
        }
    }

    /// Takes in what happened, and answers what is to be done.
    pub fn handle(&mut self, now: Now, input: Input) -> Vec<Output> {
        // Nothing here breaks when it does not, but ages would be wrong.
        self.now = Now { elapsed: now.elapsed.max(self.now.elapsed), wall: now.wall };
        self.read_clock();
        // Others are at work sooner where they are asked before this node asks itself.
        let puts_off = matches!(input, Input::Request { .. });
        match input {
            Input::Rest => {}
            Input::Tick => self.tick(),
            Input::Message(message) => self.receive(message),
            Input::Request { id, request } => self.on_request(id, request),
            Input::LinkLost(id) => self.on_link_lost(id),
            Input::Seeds(join) => self.settings.join = join,
            Input::Refused(address) => self.on_refused(address),
            Input::Down(id) => self.on_verdict(id, true),
            Input::Up(id) => self.on_verdict(id, false),
            Input::Leave => self.leave(),
            Input::Stay => self.stay(),
            Input::Recover(survivors) => self.recover(&survivors),
        }
        if !puts_off {
            self.ask_itself();
        }
        std::mem::take(&mut self.outputs)
    }

    fn ask_itself(&mut self) {
        loop {
            match self.inbox.pop_front() {
                Some(message) => self.receive(message),
                None if self.wake() => {}
                None => break,
            }
        }
    }

    /// Whether this node may be sent requests.
    #[must_use]
    pub fn ready(&self) -> Readiness {
        let Some(placed) = self.views.current().filter(|_| self.phase == Phase::Member) else {
            return Readiness::NotReady(format!("{:?}", self.phase).to_lowercase().into());
        };
        // At a change of view all members take their slots over at once, each as soon as it has it: were they not ready
        // meanwhile, nobody would be.
        if !self.was_synced() {
            return Readiness::NotReady("copies its sessions".into());
        }
        if self.is_clock_off() {
            return Readiness::NotReady("its clock is off".into());
        }
        let suspects: Vec<NodeId> = self.suspects();
        if placed.view.members.len() - suspects.len() < placed.view.majority() {
            return Readiness::NotReady(format!("no majority: out of reach are {suspects:?}").into());
        }
        Readiness::Ready
    }

    /// Members out of reach.
    #[must_use]
    pub fn suspects(&self) -> Vec<NodeId> {
        let members = self.views.current().map(|placed| placed.view.members.clone()).unwrap_or_default();
        members.iter().map(|member| member.id).filter(|id| self.is_suspect(*id)).collect()
    }

    /// Where in its life it is.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// The last view that it knows.
    #[must_use]
    pub fn view(&self) -> Option<&super::view::View> {
        self.views.current().map(|placed| &placed.view)
    }

    fn tick(&mut self) {
        self.beat_on();
        self.found_on();
        self.contact_on();
        self.announce_on();
        self.lead_on();
        self.pull_on();
        self.sync_on();
        self.operate_on();
        self.scan_on();
        self.expire_on();
        self.repair_on();
        self.bury_on();
        self.leave_on();
    }

    fn receive(&mut self, message: Message) {
        if message.to != self.me.id && message.to != NodeId::ANY {
            return self.on_anothers(&message);
        }
        if message.from.id == self.me.id && message.to == NodeId::ANY {
            return;
        }
        if message.cluster.is_some() && self.cluster.is_some() && message.cluster != self.cluster {
            return self.on_other_cluster(message);
        }
        self.hear(&message);
        self.is_welcome(&message);
        self.speaker = Some(message.from);
        let from = message.from.id;
        if message.view > self.views.number() && self.views.current().is_some() {
            self.ask_for_views(from);
        }
        match message.body {
            Body::Beat { .. } => self.tell_if_behind(from, message.view),
            Body::Ask(ask) => self.on_ask(from, message.echo, ask),
            Body::Reply(reply) => self.on_reply(from, reply),
            Body::Entrust(entrust) => self.on_entrust(from, message.echo, entrust),
            Body::Entrusted(entrusted) => self.on_entrusted(from, entrusted),
            Body::Views { views } => self.on_views(views),
            Body::ViewsPlease { after } => self.on_views_please(message.from, after),
            Body::Paxos { number, step } => self.on_paxos(from, number, step),
            Body::Want { joins, leaves } => self.on_want(&joins, &leaves),
            Body::Plan { view, plan } => self.on_plan(from, view, plan),
            Body::Planned { plan } => self.on_planned(from, plan),
            Body::Pull { target, parts } => self.on_pull(message.from, target, parts),
            Body::Pulled { target, slot, complete_in, entries, floor } => {
                self.on_pulled(from, target, slot, Told { complete_in, entries, floor });
            }
            Body::Synced { view } => self.on_synced(from, view),
            Body::SyncedPlease { view } => self.on_synced_please(from, view),
            Body::Suspected { peer } => self.on_suspected(peer),
            Body::Down { peers } => self.on_down(from, &peers),
            Body::Root { root } => self.on_root(from, message.view, root),
            Body::RootsPlease => self.on_roots_please(from, message.view),
            Body::Roots { roots } => self.on_roots(from, message.view, &roots),
            Body::Differing { slots } => self.on_differing(message.view, slots),
            Body::Bury { dead, round } => self.on_bury(from, message.view, &dead, round),
            Body::Buried { dead, round } => self.on_buried(from, message.view, &dead, round),
            Body::Settled { dead } => self.on_settled(message.view, &dead),
            Body::Probe { round, founds } => self.on_probe(message.from, round, founds),
            Body::Probed { round, answer } => self.on_probed(message.from, round, answer),
            Body::Announce { cluster, contacts } => {
                // All that a member knew may be gone: then it finds those who came after them where they listened.
                if self.phase.serves() && message.view < self.views.number() {
                    self.on_views_please(message.from, message.view);
                }
                self.on_announce(cluster, &contacts);
            }
            Body::Scan { scan, slots } => self.on_scan(from, message.view, scan, &slots),
            Body::Scanned { scan, slots, keys } => self.on_scanned(from, message.view, scan, &slots, keys),
            Body::Bye => self.on_bye(from),
            Body::Unknown { .. } => {}
        }
    }

    /// Sends to a process, itself included.
    pub(crate) fn send(&mut self, to: NodeId, body: Body) {
        if to == self.me.id {
            let message = self.message(to, body);
            self.inbox.push_back(message);
        } else if let Some(member) = self.address_of(to) {
            self.send_to(member, body);
        }
    }

    pub(crate) fn send_to(&mut self, to: Member, body: Body) {
        let message = self.message(to.id, body);
        self.outputs.push(Output::Send { to: to.address, message });
    }

    pub(crate) fn send_to_address(&mut self, to: SocketAddr, body: Body) {
        self.send_to(Member { id: NodeId::ANY, address: to }, body);
    }

    /// Sends to every other member.
    pub(crate) fn tell_all(&mut self, body: impl Fn() -> Body) {
        let Some(placed) = self.views.current().cloned() else { return };
        let me = self.me.id;
        for member in placed.view.members.iter().filter(|member| member.id != me) {
            self.send_to(*member, body());
        }
    }

    fn message(&self, to: NodeId, body: Body) -> Message {
        let echo =
            if to == self.me.id { self.beat() } else { self.peers.get(&to).map_or(0, |peer| peer.beat) };
        Message {
            from: self.me,
            to,
            cluster: self.cluster,
            view: self.views.number(),
            beat: self.beat(),
            echo,
            body,
        }
    }

    pub(crate) fn output(&mut self, output: Output) {
        self.outputs.push(output);
    }

    pub(crate) fn reply(&mut self, id: RequestId, answer: Result<Answer, Error>) {
        self.outputs.push(Output::Answer { id, answer });
    }

    /// Whether a chore is due that is done every so often; then it is taken for done.
    pub(crate) fn every(&mut self, chore: Chore, often: Duration) -> bool {
        let now = self.now.elapsed;
        let due = self.chores.get(&chore).is_none_or(|at| *at <= now);
        if due {
            self.chores.insert(chore, now + often);
        }
        due
    }

    /// Whether a rule is left out, for a test.
    pub(crate) fn is_broken(&self, variant: Variant) -> bool {
        self.variant() == Some(variant)
    }

    #[cfg(feature = "__variants")]
    pub(crate) fn variant(&self) -> Option<Variant> {
        self.settings.variant
    }

    #[cfg(not(feature = "__variants"))]
    #[allow(clippy::unused_self, reason = "with the feature it depends on the settings")]
    pub(crate) fn variant(&self) -> Option<Variant> {
        None
    }

    /// Notes that a step of the protocol was taken.
    pub(crate) fn step(&mut self, name: &'static str) {
        *self.steps.entry(name).or_default() += 1;
    }

    /// How often each step of the protocol was taken: for the simulator, which fails where one never was.
    #[doc(hidden)]
    #[must_use]
    pub fn steps(&self) -> &BTreeMap<&'static str, u64> {
        &self.steps
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use abide_core::{SessionKey, Timestamp};

    use super::*;
    use crate::protocol::io::Request;

    /// Gives a node something at a time, in milliseconds.
    pub(crate) fn give(node: &mut Node, at: u64, input: Input) -> Vec<Output> {
        let wall = Timestamp::from_millis(1_700_000_000_000 + at);
        node.handle(Now { elapsed: Duration::from_millis(at), wall }, input)
    }

    #[test]
    fn what_a_node_asks_of_itself_is_put_off_until_the_rest_or_the_next_input() {
        let me = Member { id: NodeId(1), address: ([10, 0, 0, 1], 7_000).into() };
        let mut node = Node::new(Settings::new(me, Vec::new(), 7));
        (1..200).for_each(|n| drop(give(&mut node, n * 50, Input::Tick)));
        assert_eq!(node.ready(), Readiness::Ready, "a cluster of its own");
        for (n, next) in [Input::Rest, Input::Tick].into_iter().enumerate() {
            let (id, key) = (RequestId(n as u64), SessionKey::from_bytes([7; 16]));
            let request = Request::Load { key };
            let asked = give(&mut node, 10_000, Input::Request { id, request });
            assert!(asked.is_empty(), "who asks itself first has others wait: {asked:?}");
            let outputs = give(&mut node, 10_000, next);
            let is_answer =
                |output: &Output| matches!(output, Output::Answer { id: of, answer: Ok(_) } if *of == id);
            assert!(outputs.iter().any(is_answer), "{outputs:?}");
        }
    }
}
