//! Processes, time, and the order of events.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::time::Duration;

use abide_cluster::protocol::{
    Answer, Input, Member, Message, Node, NodeId, Now, Output, Phase, Request, RequestId, Settings, View,
};
use abide_conformance::interleavings::{Rng, START};
use abide_core::{Error, ErrorKind, Timestamp};

use crate::coverage::Coverage;
use crate::detector::{Detector, Verdict};
use crate::fault::Fault;
use crate::hub::{Hub, Ticket, Wanted};
use crate::network::Network;
use crate::safety::{Dead, survives};
use crate::scenario::Scenario;

const TICK: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_millis(500);

/// One computer: at an address, a process after another.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) node: Option<Node>,
    started: Duration,
    paused_until: Duration,
    /// By how many seconds its wall clock is off.
    jumped: i64,
    detector: Detector,
    /// The requests it works on.
    working: BTreeMap<RequestId, Ticket>,
    reads: BTreeMap<RequestId, bool>,
}

#[derive(Debug)]
enum What {
    Tick(usize, NodeId),
    Look(usize, NodeId),
    Arrive(usize, usize, Box<Message>),
    Refused(usize, NodeId, SocketAddr),
    LinkLost(usize, NodeId),
    Begin(usize),
    Strike(Fault),
    Heal,
    Ask(Box<Wanted>),
}

#[derive(Debug)]
struct Event {
    at: Duration,
    order: u64,
    what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}

/// The whole of a simulation.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) now: Duration,
    pub(crate) processes: Vec<Process>,
    pub(crate) coverage: Coverage,
    pub(crate) hub: Hub,
    pub(crate) scenario: Scenario,
    /// What was wrong beyond what is looked for at the end.
    pub(crate) violations: Vec<String>,
    /// Every view that any process knew, by cluster and number.
    views: BTreeMap<(u64, u64), Vec<NodeId>>,
    network: Network,
    events: BinaryHeap<Reverse<Event>>,
    order: u64,
    rng: Rng,
    dead: Dead,
    /// A second cluster was founded where the first could not be heard: more than the protocol promises to prevent.
    pub(crate) is_beyond: bool,
    last_request: u64,
    joiner_died: Option<Duration>,
    /// Crashes that wait for the moment they are for.
    ambushes: Vec<Fault>,
    pub(crate) trace: bool,
}

fn address(at: usize) -> SocketAddr {
    ([10, 0, 0, at as u8], 7_000).into()
}

fn index(address: SocketAddr) -> usize {
    match address {
        SocketAddr::V4(four) => usize::from(four.ip().octets()[3]),
        SocketAddr::V6(_) => 0,
    }
}

impl World {
    pub(crate) fn new(scenario: &Scenario) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            processes: (0..scenario.processes + 3).map(|_| Process::default()).collect(),
            coverage: Coverage { seeds: 1, ..Coverage::default() },
            hub: Hub::default(),
            scenario: scenario.clone(),
            violations: Vec::new(),
            views: BTreeMap::new(),
            network: Network::default(),
            events: BinaryHeap::new(),
            order: 0,
            rng: Rng::new(scenario.seed),
            dead: Dead::new(),
            is_beyond: false,
            last_request: 0,
            joiner_died: None,
            ambushes: Vec::new(),
            trace: false,
        };
        for at in 0..scenario.processes {
            let begins = Duration::from_millis(world.rng.next_u64() % 1_500);
            world.at(begins, What::Begin(at));
        }
        for (at, fault) in &scenario.faults {
            world.at(*at, What::Strike(fault.clone()));
        }
        world.at(scenario.heals, What::Heal);
        world
    }

    fn at(&mut self, at: Duration, what: What) {
        self.order += 1;
        self.events.push(Reverse(Event { at, order: self.order, what }));
    }

    fn after(&mut self, delay: Duration, what: What) {
        self.at(self.now + delay, what);
    }

    fn note(&self, what: impl FnOnce() -> String) {
        if self.trace {
            println!("{:>9.4} {}", self.now.as_secs_f64(), what());
        }
    }

    /// Takes the next event, `false` where it would be later than `until`.
    pub(crate) fn step(&mut self, until: Duration) -> bool {
        for wanted in self.hub.take_wanted() {
            let thinks = if self.rng.chance(60) {
                Duration::from_micros(self.rng.next_u64() % 4_000)
            } else {
                Duration::from_millis(self.rng.next_u64() % 2_500)
            };
            self.after(thinks, What::Ask(Box::new(wanted)));
        }
        if self.events.peek().is_none_or(|Reverse(event)| event.at > until) {
            self.now = self.now.max(until);
            return false;
        }
        let Some(Reverse(event)) = self.events.pop() else { return false };
        self.now = event.at;
        match event.what {
            What::Tick(at, id) => {
                if self.give(at, id, Input::Tick) {
                    self.after(TICK, What::Tick(at, id));
                }
            }
            What::Look(at, id) => self.look(at, id),
            What::Arrive(from, to, message) => self.arrive(from, to, message),
            What::Refused(at, id, address) => drop(self.give(at, id, Input::Refused(address))),
            What::LinkLost(at, peer) => {
                if let Some(id) = self.id(at) {
                    self.give(at, id, Input::LinkLost(peer));
                }
            }
            What::Begin(at) => self.begin(at),
            What::Strike(fault) => self.strike(fault),
            What::Heal => self.heal(),
            What::Ask(wanted) => self.ask(*wanted),
        }
        true
    }

    pub(crate) fn id(&self, at: usize) -> Option<NodeId> {
        self.processes[at].node.as_ref().map(Node::id)
    }

    fn alive(&self) -> Vec<&Node> {
        self.processes.iter().filter_map(|process| process.node.as_ref()).collect()
    }

    fn begin(&mut self, at: usize) {
        if self.processes[at].node.is_some() {
            return;
        }
        let me = Member { id: NodeId(self.rng.next_u64() | 1), address: address(at) };
        let join = (0..self.scenario.seeds).map(address).collect();
        let mut settings = Settings::new(me, join, self.rng.next_u64());
        (settings.slots, settings.copies) = (self.scenario.slots, self.scenario.copies);
        settings.repair = Duration::from_secs(4);
        settings.message_age = Duration::from_secs(5);
        settings.copying = Duration::from_secs(4);
        settings.tombstone = self.scenario.tombstone;
        settings.variant = self.scenario.variant;
        self.note(|| format!("process {at} begins as {:?}", me.id));
        let process = &mut self.processes[at];
        process.node = Some(Node::new(settings));
        (process.started, process.paused_until) = (self.now, Duration::ZERO);
        process.detector = Detector::default();
        let phase = Duration::from_micros(self.rng.next_u64() % 50_000);
        self.after(phase, What::Tick(at, me.id));
        self.after(LOOK, What::Look(at, me.id));
    }

    fn wall(&self, at: usize) -> Timestamp {
        let jumped = self.processes[at].jumped;
        let base = START.as_millis() as i64 + jumped * 1_000;
        Timestamp::from_millis(base.max(0) as u64)
    }

    /// Gives a process something, later where it stands still. Answers whether that process is still there.
    fn give(&mut self, at: usize, id: NodeId, input: Input) -> bool {
        let process = &self.processes[at];
        if process.node.as_ref().map(Node::id) != Some(id) {
            return false;
        }
        if process.paused_until > self.now {
            let until = process.paused_until;
            let what = match input {
                Input::Message(message) => What::Arrive(index(message.from.address), at, Box::new(message)),
                Input::Refused(address) => What::Refused(at, id, address),
                Input::LinkLost(peer) => What::LinkLost(at, peer),
                Input::Tick => {
                    self.at(until, What::Tick(at, id));
                    return false;
                }
                _ => return true,
            };
            self.at(until, what);
            return true;
        }
        let now = Now { elapsed: self.now - process.started + Duration::from_secs(1), wall: self.wall(at) };
        let Some(node) = &mut self.processes[at].node else { return false };
        let before = (node.phase(), node.steps().get("view: is proposed").copied().unwrap_or(0));
        let outputs = node.handle(now, input);
        let after = (node.phase(), node.steps().get("view: is proposed").copied().unwrap_or(0));
        self.put_out(at, outputs);
        self.spring(at, before, after);
        true
    }

    fn put_out(&mut self, at: usize, outputs: Vec<Output>) {
        for output in outputs {
            match output {
                Output::Send { to, message } => self.send(at, to, message),
                Output::Answer { id, answer } => self.answer(at, id, answer),
                Output::Members(_) => self.check_view(at),
                Output::Retired => {
                    self.note(|| format!("process {at} retired"));
                    self.kill(at);
                    let later = Duration::from_millis(200 + self.rng.next_u64() % 2_000);
                    self.after(later, What::Begin(at));
                }
                _ => {}
            }
        }
    }

    fn send(&mut self, from: usize, to: SocketAddr, message: Message) {
        self.coverage.messages += 1;
        let to = index(to);
        for delay in self.network.delays(&mut self.rng, self.now, from, to) {
            let arrives = What::Arrive(from, to, Box::new(message.clone()));
            self.after(delay, arrives);
        }
    }

    fn arrive(&mut self, from: usize, to: usize, message: Box<Message>) {
        match self.id(to) {
            Some(id) => {
                if self.trace {
                    self.note(|| format!("{from} -> {to} v{}: {:?}", message.view, message.body));
                }
                self.give(to, id, Input::Message(*message));
            }
            None => {
                let sender = message.from.id;
                if self.network.is_open(self.now, to, from) && self.id(from) == Some(sender) {
                    self.after(Duration::from_micros(300), What::Refused(from, sender, address(to)));
                }
            }
        }
    }

    fn look(&mut self, at: usize, id: NodeId) {
        if self.id(at) != Some(id) {
            return;
        }
        self.after(LOOK, What::Look(at, id));
        if self.processes[at].paused_until > self.now {
            return;
        }
        let Some(view) = self.processes[at].node.as_ref().and_then(|node| node.view()) else { return };
        let members: Vec<Member> = view.members.clone();
        let stands = |other: usize, id: NodeId| {
            self.id(other) == Some(id) && self.processes[other].paused_until <= self.now
        };
        let open =
            |a: usize, b: usize| self.network.is_open(self.now, a, b) && self.network.is_open(self.now, b, a);
        let reached = |member: &Member| {
            let to = index(member.address);
            let relay = |through: &Member| {
                let through_at = index(through.address);
                stands(through_at, through.id) && open(at, through_at) && open(through_at, to)
            };
            stands(to, member.id) && (open(at, to) || members.iter().any(relay))
        };
        let others: Vec<&Member> = members.iter().filter(|member| member.id != id).collect();
        let ids: Vec<NodeId> = others.iter().map(|member| member.id).collect();
        let reachable: Vec<NodeId> =
            others.iter().filter(|member| reached(member)).map(|member| member.id).collect();
        let verdicts = self.processes[at].detector.look(self.now, &ids, |id| reachable.contains(&id));
        for verdict in verdicts {
            let input = match verdict {
                Verdict::Down(peer) => Input::Down(peer),
                Verdict::Up(peer) => Input::Up(peer),
            };
            self.give(at, id, input);
        }
    }

    fn ask(&mut self, wanted: Wanted) {
        let ready: Vec<usize> = (0..self.processes.len())
            .filter(|at| {
                let node = self.processes[*at].node.as_ref();
                node.is_some_and(|node| matches!(node.phase(), Phase::Member | Phase::Leaving))
            })
            .collect();
        if ready.is_empty() {
            return self.hub.came(wanted.ticket, Err(ErrorKind::Unavailable.into()));
        }
        let at = ready[self.rng.below(ready.len())];
        let Some(id) = self.id(at) else { return };
        self.last_request += 1;
        let request = RequestId(self.last_request);
        let is_read = matches!(wanted.request, Request::Load { .. });
        self.note(|| format!("plan {} asks process {at}: {:?} {:?}", wanted.plan, request, wanted.request));
        // A request that a process does not get round to is in doubt as well.
        if self.processes[at].paused_until > self.now {
            let kind = if is_read { ErrorKind::Unavailable } else { ErrorKind::Ambiguous };
            return self.hub.came(wanted.ticket, Err(kind.into()));
        }
        self.processes[at].working.insert(request, wanted.ticket);
        self.processes[at].reads.insert(request, is_read);
        self.give(at, id, Input::Request { id: request, request: wanted.request });
    }

    fn answer(&mut self, at: usize, id: RequestId, answer: Result<Answer, Error>) {
        let Some(ticket) = self.processes[at].working.remove(&id) else { return };
        let is_read = self.processes[at].reads.remove(&id) == Some(true);
        let kind = match &answer {
            Ok(_) => "answered".to_owned(),
            Err(error) => format!("{:?}", error.kind()),
        };
        self.note(|| format!("process {at} answers {id:?}: {answer:?}"));
        let kind = format!("{} {kind}", if is_read { "load" } else { "change" });
        *self.coverage.answers.entry(kind).or_default() += 1;
        self.hub.came(ticket, answer);
    }

    fn check_view(&mut self, at: usize) {
        let Some(view) = self.processes[at].node.as_ref().and_then(|node| node.view()).cloned() else {
            return;
        };
        self.note(|| format!("process {at} is in view {} of {:?}", view.number, view.members));
        self.check_founding(at, &view);
        let members: Vec<NodeId> = view.members.iter().map(|member| member.id).collect();
        let known = self.views.entry((view.cluster.nonce, view.number)).or_insert_with(|| members.clone());
        if *known != members {
            let two = format!("two views of number {}: {known:?} and {members:?}", view.number);
            self.violations.push(two);
        }
    }

    /// No cluster is founded beside one that could be heard.
    fn check_founding(&mut self, at: usize, view: &View) {
        let serves = |process: &Process| {
            let node = process.node.as_ref().filter(|node| node.phase() == Phase::Member);
            node.and_then(|node| node.view()).is_some_and(|other| other.cluster != view.cluster)
        };
        if view.number > 1 || !self.processes.iter().any(serves) {
            return;
        }
        if self.network.is_cut(self.now)
            || self.processes.iter().any(|process| process.paused_until > self.now)
        {
            self.is_beyond = true;
        } else {
            self.violations.push(format!("process {at} founds a cluster beside another one"));
        }
    }

    /// Kills a process: all that it knew is gone.
    pub(crate) fn kill(&mut self, at: usize) {
        let process = &mut self.processes[at];
        let Some(node) = process.node.take() else { return };
        for (name, count) in node.steps() {
            *self.coverage.steps.entry(name).or_default() += count;
        }
        let slots = (0..self.scenario.slots).map(|slot| node.slot_report(slot).complete_in);
        self.dead.insert(node.id(), slots.collect());
        let working = std::mem::take(&mut process.working);
        let reads = std::mem::take(&mut process.reads);
        for (id, ticket) in working {
            let kind =
                if reads.get(&id) == Some(&true) { ErrorKind::Unavailable } else { ErrorKind::Ambiguous };
            self.hub.came(ticket, Err(kind.into()));
        }
        if self.rng.chance(50) {
            for other in (0..self.processes.len()).filter(|other| *other != at) {
                self.after(Duration::from_millis(1), What::LinkLost(other, node.id()));
            }
        }
    }

    /// Kills a process, if what was acknowledged survives it, and begins another one there.
    fn crash(&mut self, at: usize, again: Option<Duration>, name: &'static str) -> bool {
        let Some(id) = self.id(at) else { return false };
        let ghosts = self.joiner_died.is_some_and(|died| self.now < died + Duration::from_secs(8));
        if !survives(&self.alive(), &self.dead, id, ghosts, self.scenario.slots) {
            return false;
        }
        if self.processes[at].node.as_ref().is_some_and(|node| node.phase() == Phase::Joining) {
            self.joiner_died = Some(self.now);
        }
        self.note(|| format!("process {at} crashes ({name})"));
        self.coverage.fault(name);
        self.kill(at);
        if let Some(again) = again {
            self.after(again, What::Begin(at));
        }
        true
    }

    fn strike(&mut self, fault: Fault) {
        let name = fault.name();
        let now = self.now;
        self.note(|| format!("strikes: {fault:?}"));
        match fault {
            Fault::Loss(_, how_long)
            | Fault::Duplication(_, how_long)
            | Fault::Reordering(_, how_long)
            | Fault::Late(_, _, how_long)
            | Fault::CutOneWay(_, _, how_long)
            | Fault::CutBetween(_, _, how_long)
            | Fault::Isolated(_, how_long)
            | Fault::Split(_, how_long)
            | Fault::Flapping(_, _, how_long)
            | Fault::Slow(_, _, how_long) => {
                self.network.pass(now);
                self.network.add(now, how_long, fault);
                self.coverage.fault(name);
            }
            Fault::Pause(at, how_long) => {
                self.processes[at].paused_until = now + how_long;
                self.coverage.fault(name);
            }
            Fault::Crash(at, again) => drop(self.crash(at, again, name)),
            Fault::CrashProposer(_)
            | Fault::CrashJoining(_)
            | Fault::CrashTaking(_)
            | Fault::CrashLeaving(_) => {
                self.ambushes.push(fault);
            }
            Fault::ClockJump(at, by) => {
                let off = self.processes.iter().filter(|process| process.jumped != 0).count();
                // One of three that judge it, whoever else is down.
                if off == 0 && self.scenario.processes > 2 {
                    self.processes[at].jumped += by;
                    self.coverage.fault(name);
                }
            }
            Fault::Start(at) => {
                if self.processes[at].node.is_none() {
                    self.coverage.fault(name);
                    self.begin(at);
                }
            }
            Fault::Leave(at, again) => {
                // The last one would take everything along.
                let stays = |node: &&&Node| node.phase() == Phase::Member;
                let others = self.alive().iter().filter(stays).count();
                if let Some(id) = self.id(at).filter(|_| others > 2) {
                    self.coverage.fault(name);
                    self.give(at, id, Input::Leave);
                    if let Some(again) = again {
                        self.after(again, What::Begin(at));
                    }
                }
            }
            Fault::RestartSeeds(apart) => {
                self.coverage.fault(name);
                for at in 0..self.scenario.seeds {
                    let crash = Fault::Crash(at, Some(Duration::from_millis(300)));
                    self.after(apart * at as u32, What::Strike(crash));
                }
            }
        }
    }

    /// Crashes that wait for a moment: is this one?
    fn spring(&mut self, at: usize, before: (Phase, u64), after: (Phase, u64)) {
        if self.ambushes.is_empty() {
            return;
        }
        let node = self.processes[at].node.as_ref();
        let taking = node.is_some_and(|node| node.phase() == Phase::Member && !node.has_synced());
        let draw = self.rng.chance(30);
        let found = self.ambushes.iter().position(|fault| match fault {
            Fault::CrashProposer(_) => {
                after.1 > before.1 || (after.1 > 0 && draw && before.0 == after.0 && taking)
            }
            Fault::CrashJoining(_) => after.0 == Phase::Joining && draw,
            Fault::CrashTaking(_) => taking && draw,
            Fault::CrashLeaving(_) => matches!(after.0, Phase::Leaving | Phase::Left) && draw,
            _ => false,
        });
        let Some(found) = found else { return };
        let fault = self.ambushes.remove(found);
        let name = fault.name();
        let again = match fault {
            Fault::CrashProposer(again)
            | Fault::CrashJoining(again)
            | Fault::CrashTaking(again)
            | Fault::CrashLeaving(again) => again,
            _ => Duration::from_secs(1),
        };
        let waits = Fault::clone(&fault);
        if !self.crash(at, Some(again), name) {
            self.ambushes.push(waits);
        }
    }

    /// From now on nothing is wrong.
    fn heal(&mut self) {
        self.note(|| "heals".to_owned());
        self.network.heal(self.now);
        self.ambushes.clear();
        for process in &mut self.processes {
            process.paused_until = process.paused_until.min(self.now);
            process.jumped = 0;
        }
        for at in 0..self.scenario.processes {
            if self.processes[at].node.is_none() {
                self.after(Duration::from_millis(100), What::Begin(at));
            }
        }
    }

    /// Ends the run: what the processes did is counted.
    pub(crate) fn end(&mut self) {
        for process in &self.processes {
            for (name, count) in process.node.iter().flat_map(Node::steps) {
                *self.coverage.steps.entry(name).or_default() += count;
            }
        }
        self.coverage.operations = self.hub.operations();
    }
}
