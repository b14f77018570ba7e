//! The whole of a simulation: time, and the order of events.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::Duration;

use abide_cluster::protocol::{Input, Node, NodeId};
use abide_conformance::interleavings::Rng;

use crate::coverage::Coverage;
use crate::event::{Event, What};
use crate::fault::Fault;
use crate::hub::Hub;
use crate::network::Network;
use crate::process::{Process, TICK};
use crate::safety::Dead;
use crate::scenario::Scenario;

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
    pub(crate) views: BTreeMap<(u64, u64), Vec<NodeId>>,
    pub(crate) network: Network,
    pub(crate) events: BinaryHeap<Reverse<Event>>,
    pub(crate) order: u64,
    pub(crate) rng: Rng,
    pub(crate) dead: Dead,
    /// A second cluster was founded where the first could not be heard: more than the protocol promises to prevent.
    pub(crate) is_beyond: bool,
    pub(crate) last_request: u64,
    pub(crate) joiner_died: Option<Duration>,
    /// How many slots may lack something, as each operator was told who went on without a majority.
    pub(crate) recovered: Vec<usize>,
    /// How many faults struck.
    pub(crate) struck: u64,
    /// Crashes that wait for the moment they are for.
    pub(crate) ambushes: Vec<Fault>,
    pub(crate) trace: bool,
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
            recovered: Vec::new(),
            struck: 0,
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

    pub(crate) fn at(&mut self, at: Duration, what: What) {
        self.order += 1;
        self.events.push(Reverse(Event { at, order: self.order, what }));
    }

    pub(crate) fn after(&mut self, delay: Duration, what: What) {
        self.at(self.now + delay, what);
    }

    pub(crate) fn note(&self, what: impl FnOnce() -> String) {
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
            What::Rest(at, id) => drop(self.give(at, id, Input::Rest)),
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

    pub(crate) fn alive(&self) -> Vec<&Node> {
        self.processes.iter().filter_map(|process| process.node.as_ref()).collect()
    }

    /// Ends the run: what the processes did is counted.
    pub(crate) fn end(&mut self) {
        for process in &self.processes {
            for (name, count) in process.node.iter().flat_map(Node::steps) {
                *self.coverage.steps.entry(name).or_default() += count;
            }
        }
        self.coverage.operations = self.hub.operations();
        self.coverage.fewest = Some((self.hub.operations(), self.struck));
    }
}
