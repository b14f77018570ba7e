//! A scripted run: who is asked for what, and what strikes when, is said line by line.

use std::task::Waker;
use std::time::Duration;

use abide_cluster::protocol::{Answer, Node, NodeId, Request, Variant};
use abide_conformance::interleavings::{Rng, START};
use abide_core::{
    Changes, CommitOptions, CreateOptions, EndReason, Error, Loaded, NewRecord, Record, SessionKey, Stamps,
    Timestamp, Verifier,
};

use crate::checks::rests;
use crate::fault::Fault;
use crate::hub::Ticket;
use crate::run::{Failure, Outcome};
use crate::scenario::{BEGIN, Scenario};
use crate::world::World;

/// How long an answer may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells the processes and the network of one world what to do.
pub(crate) struct Director {
    pub(crate) world: World,
    pub(crate) rng: Rng,
    stamps: Stamps,
}

impl Director {
    /// So many processes, of which the others look for the first ones, that have come together.
    pub(crate) fn new(seed: u64, variant: Option<Variant>, change: impl FnOnce(&mut Scenario)) -> Self {
        let mut scenario = Scenario {
            processes: 3,
            seeds: 3,
            slots: 1,
            copies: 3,
            plans: Vec::new(),
            lists: Vec::new(),
            operations: 0,
            faults: Vec::new(),
            heals: Duration::from_secs(3_600),
            tombstone: Duration::from_secs(90),
            drains: false,
            variant,
            ..Scenario::of(seed)
        };
        change(&mut scenario);
        let mut world = World::new(&scenario);
        while world.step(BEGIN) {}
        Self { world, rng: Rng::new(seed), stamps: Stamps::new(seed) }
    }

    pub(crate) fn pass(&mut self, time: Duration) {
        let until = self.world.now + time;
        while self.world.step(until) {}
    }

    pub(crate) fn pass_ms(&mut self, ms: u64) {
        self.pass(Duration::from_millis(ms));
    }

    /// Lets time pass until it is so, but not for long. Answers whether it is.
    pub(crate) fn until(&mut self, is_so: impl Fn(&World) -> bool) -> bool {
        let until = self.world.now + Duration::from_secs(30);
        while !is_so(&self.world) {
            if !self.world.step(until) {
                return false;
            }
        }
        true
    }

    pub(crate) fn strike(&mut self, fault: Fault) {
        self.world.strike(fault);
    }

    pub(crate) fn node(&self, at: usize) -> Option<&Node> {
        self.world.processes[at].node.as_ref()
    }

    /// The number of the view that a process is in.
    pub(crate) fn view(&self, at: usize) -> u64 {
        self.node(at).and_then(Node::view).map_or(0, |view| view.number)
    }

    pub(crate) fn id(&self, at: usize) -> NodeId {
        self.world.id(at).unwrap_or_default()
    }

    /// Asks a process, and goes on.
    pub(crate) fn begin(&mut self, at: usize, request: Request) -> Ticket {
        let ticket = self.world.hub.ticket();
        self.world.ask_at(at, ticket, request);
        ticket
    }

    /// Waits for the answer.
    pub(crate) fn answer(&mut self, ticket: Ticket) -> Result<Answer, Error> {
        let until = self.world.now + PATIENCE;
        loop {
            if let Some(answer) = self.world.hub.poll(ticket, Waker::noop()) {
                return answer;
            }
            assert!(self.world.step(until), "no answer in {PATIENCE:?}");
        }
    }

    pub(crate) fn ask(&mut self, at: usize, request: Request) -> Result<Answer, Error> {
        let ticket = self.begin(at, request);
        self.answer(ticket)
    }

    /// What the wall clocks of all but those that jumped show.
    pub(crate) fn wall(&self) -> Timestamp {
        let passed = if self.world.scenario.clock_runs { self.world.now } else { Duration::ZERO };
        START + passed
    }

    /// A new session, `None` where that fails.
    pub(crate) fn create(&mut self, at: usize, idle: Duration) -> Option<SessionKey> {
        let (key, now) = (SessionKey::from_bytes(self.rng.bytes()), self.wall());
        let verifier = Verifier::from_bytes(self.rng.bytes());
        let new = NewRecord::new(self.stamps.next(now), self.rng.bytes(), verifier, now).idle_timeout(idle);
        let record = Record::create(new).into();
        let request = Request::Create { key, record, options: CreateOptions::default() };
        self.ask(at, request).ok().map(|_| key)
    }

    /// The session as a process tells it, `None` where it is over or missing.
    pub(crate) fn load(&mut self, at: usize, key: SessionKey) -> Result<Option<Loaded>, Error> {
        match self.ask(at, Request::Load { key })? {
            Answer::Session(loaded) => Ok(loaded),
            _ => Ok(None),
        }
    }

    /// The session as the first process tells it that can.
    pub(crate) fn found(&mut self, key: SessionKey) -> Option<Loaded> {
        let all: Vec<usize> = (0..self.world.processes.len()).filter(|at| self.node(*at).is_some()).collect();
        all.into_iter().find_map(|at| self.load(at, key).ok()).flatten()
    }

    /// A request that sets a value of a session, as it was loaded.
    pub(crate) fn sets(&mut self, key: SessionKey, loaded: &Loaded, name: &str) -> Option<Request> {
        let mut changes = Changes::new(self.stamps.next(self.wall()), loaded.record.era()?.id());
        changes.set(name, b"set".as_slice());
        let options = CommitOptions::default();
        Some(Request::Commit { key, changes: changes.into(), options })
    }

    /// A request that writes a value of a session on the condition that nobody did since it was loaded.
    pub(crate) fn updates(&mut self, key: SessionKey, loaded: &Loaded, name: &str) -> Option<Request> {
        let era = loaded.record.era()?;
        let seen = era.entry(name).map(|entry| entry.stamp());
        let mut changes = Changes::new(self.stamps.next(self.wall()), era.id());
        changes.update(name, seen, Some(b"updated".as_slice().into()));
        let options = CommitOptions::default();
        Some(Request::Commit { key, changes: changes.into(), options })
    }

    pub(crate) fn end(&mut self, at: usize, key: SessionKey) -> bool {
        self.ask(at, Request::End { key, reason: EndReason::LoggedOut }).is_ok()
    }

    /// Everything is well again. Answers why the cluster does not come to rest.
    pub(crate) fn comes_to_rest(&mut self) -> Option<String> {
        self.world.heal();
        let (scenario, until) = (self.world.scenario.clone(), self.world.now + Duration::from_secs(60));
        self.pass(Duration::from_secs(4));
        self.world.violations.pop().or_else(|| rests(&scenario, &mut self.world, until))
    }

    /// The end: what was done is counted.
    pub(crate) fn judged(mut self, check: &'static str, what: Result<(), String>) -> Outcome {
        self.world.end();
        let mut coverage = self.world.coverage;
        // A script is not a seed.
        (coverage.seeds, coverage.fewest) = (0, None);
        Outcome { coverage, failure: what.err().map(|what| Failure { check, what }) }
    }
}
