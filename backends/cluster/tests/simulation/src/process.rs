//! Processes: how one begins, is given something, and ends.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use abide_cluster::protocol::{Input, Member, Node, NodeId, Now, Output, RequestId, Settings};
use abide_conformance::interleavings::START;
use abide_core::{ErrorKind, Timestamp};

use crate::detector::Detector;
use crate::event::What;
use crate::hub::Ticket;
use crate::world::World;

pub(crate) const TICK: Duration = Duration::from_millis(50);
pub(crate) const LOOK: Duration = Duration::from_millis(500);

/// One computer: at an address, a process after another.
#[derive(Debug, Default)]
pub(crate) struct Process {
    pub(crate) node: Option<Node>,
    pub(crate) started: Duration,
    pub(crate) paused_until: Duration,
    /// By how many seconds its wall clock is off.
    pub(crate) jumped: i64,
    pub(crate) detector: Detector,
    /// The requests it works on.
    pub(crate) working: BTreeMap<RequestId, Ticket>,
    pub(crate) reads: BTreeMap<RequestId, bool>,
    /// It is of a newer version: it also says what the others do not know.
    pub(crate) is_newer: bool,
}

pub(crate) fn address(at: usize) -> SocketAddr {
    ([10, 0, 0, at as u8], 7_000).into()
}

pub(crate) fn index(address: SocketAddr) -> usize {
    match address {
        SocketAddr::V4(four) => usize::from(four.ip().octets()[3]),
        SocketAddr::V6(_) => 0,
    }
}

impl World {
    pub(crate) fn begin(&mut self, at: usize) {
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
        // A clock is set when its computer starts. Who begins with a wrong one, and is then alone, has nobody to tell it.
        process.jumped = 0;
        process.detector = Detector::default();
        let phase = Duration::from_micros(self.rng.next_u64() % 50_000);
        self.after(phase, What::Tick(at, me.id));
        self.after(LOOK, What::Look(at, me.id));
    }

    pub(crate) fn wall(&self, at: usize) -> Timestamp {
        let jumped = self.processes[at].jumped;
        // For clients of plans time stands still.
        let passed = if self.scenario.clock_runs { self.now.as_millis() as i64 } else { 0 };
        let base = START.as_millis() as i64 + jumped * 1_000 + passed;
        Timestamp::from_millis(base.max(0) as u64)
    }

    /// Gives a process something, later where it stands still. Answers whether that process is still there.
    pub(crate) fn give(&mut self, at: usize, id: NodeId, input: Input) -> bool {
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
        if self.ambushes.is_empty() {
            let outputs = node.handle(now, input);
            self.put_out(at, outputs);
            return true;
        }
        let moment =
            |node: &Node| (node.phase(), node.steps().get("view: is proposed").copied().unwrap_or(0));
        let before = moment(node);
        let outputs = node.handle(now, input);
        let after = moment(node);
        self.put_out(at, outputs);
        self.spring(at, before, after);
        true
    }

    pub(crate) fn put_out(&mut self, at: usize, outputs: Vec<Output>) {
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
                Output::Recovered { doubtful } => self.recovered.push(doubtful),
                _ => {}
            }
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
}
