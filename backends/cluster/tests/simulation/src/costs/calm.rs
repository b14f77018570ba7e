//! A cluster on a good network: each message is passed as its bytes, and counted.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

use abide_cluster::codec;
use abide_cluster::protocol::{
    Answer, Body, Input, Member, Node, NodeId, Now, Output, Request, RequestId, Settings,
};
use abide_conformance::interleavings::{Rng, START};
use abide_core::{Error, Readiness};

use crate::detector::{Detector, Verdict};

const TICK: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_millis(500);
/// How long a byte is on its way.
pub(super) const LATENCY: Duration = Duration::from_micros(250);
/// What a process may send in a second: a link of 1 Gbit/s.
const BANDWIDTH: f64 = 125e6;

/// What was sent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Traffic {
    /// Questions and answers of operations.
    pub(super) asked: u64,
    pub(super) messages: u64,
    pub(super) bytes: u64,
    /// Of these: bytes of operations.
    pub(super) asked_bytes: u64,
}

enum What {
    Tick(usize, NodeId),
    Look(usize, NodeId),
    Arrive(usize, Vec<u8>),
    Refused(usize, NodeId, SocketAddr),
}

/// Order of events; what happens is in `whats`.
type Event = Reverse<(Duration, u64)>;

/// The cluster.
pub(super) struct Calm {
    pub(super) now: Duration,
    pub(super) nodes: Vec<Option<Node>>,
    pub(super) traffic: Traffic,
    pub(super) rng: Rng,
    seeds: usize,
    slots: u16,
    detectors: Vec<Detector>,
    paused_until: Vec<Duration>,
    link_free: Vec<Duration>,
    events: BinaryHeap<Event>,
    whats: BTreeMap<u64, What>,
    order: u64,
    asked: u64,
    answers: BTreeMap<RequestId, Result<Answer, Error>>,
}

fn address(at: usize) -> SocketAddr {
    ([10, 0, (at >> 8) as u8, at as u8], 7_000).into()
}

fn index(address: SocketAddr) -> usize {
    match address {
        SocketAddr::V4(four) => {
            usize::from(u16::from_be_bytes([four.ip().octets()[2], four.ip().octets()[3]]))
        }
        SocketAddr::V6(_) => 0,
    }
}

impl Calm {
    pub(super) fn new(nodes: usize, slots: u16) -> Self {
        let mut calm = Self {
            now: Duration::ZERO,
            nodes: Vec::new(),
            traffic: Traffic::default(),
            rng: Rng::new(7),
            seeds: nodes.min(3),
            slots,
            detectors: Vec::new(),
            paused_until: vec![Duration::ZERO; nodes],
            link_free: vec![Duration::ZERO; nodes],
            events: BinaryHeap::new(),
            whats: BTreeMap::new(),
            order: 0,
            asked: 0,
            answers: BTreeMap::new(),
        };
        calm.nodes.resize_with(nodes, || None);
        calm.detectors.resize_with(nodes, Detector::default);
        (0..nodes).for_each(|at| calm.begin(at));
        calm
    }

    /// A process begins at an address.
    pub(super) fn begin(&mut self, at: usize) {
        let id = NodeId(self.rng.next_u64() | 1);
        let member = Member { id, address: address(at) };
        let mut settings = Settings::new(member, (0..self.seeds).map(address).collect(), self.rng.next_u64());
        settings.slots = self.slots;
        self.nodes[at] = Some(Node::new(settings));
        self.detectors[at] = Detector::default();
        let begins = Duration::from_micros(self.rng.next_u64() % 50_000);
        self.after(begins, What::Tick(at, id));
        self.after(LOOK, What::Look(at, id));
    }

    pub(super) fn kill(&mut self, at: usize) {
        self.nodes[at] = None;
    }

    pub(super) fn pause(&mut self, at: usize, how_long: Duration) {
        self.paused_until[at] = self.now + how_long;
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter().flatten()
    }

    fn after(&mut self, delay: Duration, what: What) {
        self.at(self.now + delay, what);
    }

    fn at(&mut self, at: Duration, what: What) {
        self.order += 1;
        self.events.push(Reverse((at, self.order)));
        self.whats.insert(self.order, what);
    }

    /// Lets so much time pass.
    pub(super) fn pass(&mut self, time: Duration) {
        let until = self.now + time;
        while self.step(until) {}
    }

    /// Goes on until it is so; answers how long that took, `None` where it took longer than `most`.
    pub(super) fn until(&mut self, most: Duration, is_so: impl Fn(&Self) -> bool) -> Option<Duration> {
        let began = self.now;
        while self.now < began + most {
            if is_so(self) {
                return Some(self.now - began);
            }
            self.pass(Duration::from_millis(10));
        }
        None
    }

    /// Takes the next event, `false` where it would be later than `until`.
    fn step(&mut self, until: Duration) -> bool {
        if self.events.peek().is_none_or(|Reverse((at, _))| *at > until) {
            self.now = self.now.max(until);
            return false;
        }
        let Some(Reverse((at, order))) = self.events.pop() else { return false };
        self.now = at;
        match self.whats.remove(&order) {
            Some(What::Tick(at, id)) => self.tick(at, id),
            Some(What::Look(at, id)) => self.look(at, id),
            Some(What::Arrive(to, bytes)) => self.arrive(to, bytes),
            Some(What::Refused(at, id, address)) => drop(self.give(at, id, Input::Refused(address))),
            None => {}
        }
        true
    }

    fn tick(&mut self, at: usize, id: NodeId) {
        if self.give(at, id, Input::Tick) {
            self.after(TICK, What::Tick(at, id));
        }
    }

    fn arrive(&mut self, to: usize, bytes: Vec<u8>) {
        if self.paused_until[to] > self.now {
            return self.at(self.paused_until[to], What::Arrive(to, bytes));
        }
        let Ok(message) = codec::decode(&bytes) else { return };
        if let Some(id) = self.nodes[to].as_ref().map(Node::id) {
            self.give(to, id, Input::Message(message));
        } else {
            let from = index(message.from.address);
            self.after(LATENCY, What::Refused(from, message.from.id, address(to)));
        }
    }

    fn give(&mut self, at: usize, id: NodeId, input: Input) -> bool {
        let now = Now { elapsed: self.now, wall: START + self.now };
        let is_paused = self.paused_until[at] > self.now;
        let Some(node) = self.nodes[at].as_mut().filter(|node| node.id() == id) else { return false };
        if is_paused {
            return true;
        }
        for output in node.handle(now, input) {
            match output {
                Output::Send { to, message } => {
                    let is_operation = matches!(message.body, Body::Ask(_) | Body::Reply(_));
                    let bytes = codec::encode(&message).expect("what a node says can be said");
                    self.send(at, index(to), bytes, is_operation);
                }
                Output::Answer { id, answer } => drop(self.answers.insert(id, answer)),
                _ => {}
            }
        }
        true
    }

    fn send(&mut self, from: usize, to: usize, bytes: Vec<u8>, is_operation: bool) {
        let length = bytes.len() as u64;
        self.traffic.messages += 1;
        self.traffic.bytes += length;
        if is_operation {
            self.traffic.asked += 1;
            self.traffic.asked_bytes += length;
        }
        let sent = self.link_free[from].max(self.now) + Duration::from_secs_f64(length as f64 / BANDWIDTH);
        self.link_free[from] = sent;
        self.at(sent + LATENCY, What::Arrive(to, bytes));
    }

    fn look(&mut self, at: usize, id: NodeId) {
        if self.nodes[at].as_ref().map(Node::id) != Some(id) {
            return;
        }
        self.after(LOOK, What::Look(at, id));
        let members = self.nodes[at].as_ref().and_then(Node::view).map(|view| view.members.clone());
        if self.paused_until[at] > self.now {
            return;
        }
        let stands = |member: &Member| {
            let to = index(member.address);
            self.paused_until[to] <= self.now && self.nodes[to].as_ref().map(Node::id) == Some(member.id)
        };
        let others: Vec<Member> = members.into_iter().flatten().filter(|member| member.id != id).collect();
        let reached: BTreeSet<NodeId> = others.iter().filter(|member| stands(member)).map(|m| m.id).collect();
        let ids: Vec<NodeId> = others.iter().map(|member| member.id).collect();
        for verdict in self.detectors[at].look(self.now, &ids, |id| reached.contains(&id)) {
            let input = match verdict {
                Verdict::Down(peer) => Input::Down(peer),
                Verdict::Up(peer) => Input::Up(peer),
            };
            self.give(at, id, input);
        }
    }

    /// Asks a process for something.
    pub(super) fn ask(&mut self, at: usize, request: Request) -> RequestId {
        self.asked += 1;
        let id = RequestId(self.asked);
        if let Some(node) = self.nodes[at].as_ref().map(Node::id) {
            self.give(at, node, Input::Request { id, request });
            self.give(at, node, Input::Rest);
        }
        id
    }

    /// Waits for answers, takes them, and tells how many were good.
    pub(super) fn answers(&mut self, ids: &[RequestId]) -> Vec<Result<Answer, Error>> {
        let until = self.now + Duration::from_secs(5);
        while !ids.iter().all(|id| self.answers.contains_key(id)) && self.now < until {
            let next = self.events.peek().map_or(until, |Reverse((at, _))| *at);
            self.step(next);
        }
        ids.iter().filter_map(|id| self.answers.remove(id)).collect()
    }

    /// Whether all processes that there are are in one view, and have all that they own.
    pub(super) fn is_whole(&self) -> bool {
        let count = self.alive().count();
        let mut views = self.alive().map(Node::view);
        let first = views.next().flatten();
        first.is_some_and(|view| view.members.len() == count)
            && views.all(|view| view == first)
            && self.alive().all(|node| node.has_synced() && matches!(node.ready(), Readiness::Ready))
    }
}
