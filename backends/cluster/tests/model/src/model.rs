//! The steps: which may be taken, and what comes of them.

use std::fmt;

use abide_cluster::protocol::Variant;
use stateright::{Model, Property};

use crate::config::Config;
use crate::coordinator::How;
use crate::state::{Ask, Cell, Held, NODES, Node, Nodes, Operation, Seen, Stage, State, What};
use crate::{burial, checks, coordinator, owner, transfer};

/// One thing that happens.
#[derive(Clone, PartialEq)]
pub enum Step {
    /// An operation begins, or begins again, in a view.
    Begin(usize, u8, How),
    /// A question arrives, and its answer.
    Deliver(Ask),
    /// An operation goes on by the answers of these.
    GoOn(usize, Nodes),
    /// The next view is chosen.
    Choose,
    /// A node learns the next view.
    Learn(u8),
    /// A node tells another one what it holds.
    Tell(u8, u8),
    /// A copy arrives that went on changing after it was told.
    Take(usize),
    /// A node lets go of its copy.
    Drop(u8),
    /// An owner asks the others for a tombstone.
    Bury(u8),
    /// Another one has it.
    Acknowledge(u8),
    /// One is told that all have it.
    Settle(u8),
    /// One forgets it.
    Forget(u8),
    /// One loses its memory, and goes on.
    Amnesia(u8),
}

impl fmt::Debug for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Begin(id, view, how) => write!(f, "operation {id} begins in view {view}: {how:?}"),
            Self::Deliver(ask) => {
                let Ask { operation, view, to, what, .. } = ask;
                write!(f, "{what:?} of operation {operation} in view {view} arrives at n{to}")
            }
            Self::GoOn(id, by) => write!(f, "operation {id} goes on by the answers of {by:04b}"),
            Self::Choose => f.write_str("the next view is chosen"),
            Self::Learn(at) => write!(f, "n{at} learns the next view"),
            Self::Tell(from, to) => write!(f, "n{from} tells n{to} what it holds"),
            Self::Take(_) => f.write_str("a complete copy arrives"),
            Self::Drop(at) => write!(f, "n{at} lets go of its copy"),
            Self::Bury(at) => write!(f, "n{at} asks the owners for a tombstone"),
            Self::Acknowledge(at) => write!(f, "n{at} has the tombstone"),
            Self::Settle(at) => write!(f, "n{at} is told that all have it"),
            Self::Forget(at) => write!(f, "n{at} forgets the tombstone"),
            Self::Amnesia(at) => write!(f, "n{at} loses its memory and goes on"),
        }
    }
}

impl Config {
    fn may_deliver(&self, state: &State, ask: &Ask) -> bool {
        let node = &state.nodes[usize::from(ask.to)];
        let mut cell = node.cell;
        owner::answers(self, node, ask.to, ask.view) && owner::answer(self, &mut cell, ask).is_some()
    }

    fn deliver(&self, state: &mut State, ask: &Ask) {
        let node = &mut state.nodes[usize::from(ask.to)];
        if let Some(told) = owner::answer(self, &mut node.cell, ask) {
            coordinator::hear(self, &mut state.operations[usize::from(ask.operation)], ask, told);
        }
    }

    /// Takes out questions that no one will ever answer: states that differ in those alone are one.
    fn tidy(&self, state: &mut State) {
        let nodes = state.nodes;
        let operations = &state.operations;
        let is_fenced = !self.is_broken(Variant::NoFence);
        let forever = |ask: &Ask| {
            let node = &nodes[usize::from(ask.to)];
            let unsealed = self.is_broken(Variant::NoSeal) && ask.view + 1 == node.view;
            let passed = node.view > ask.view && !unsealed;
            let asked = &operations[usize::from(ask.operation)];
            let is_idle = ask.what == What::Read && ask.round != asked.round;
            let mut cell = node.cell;
            let refused =
                owner::answers(self, node, ask.to, ask.view) && owner::answer(self, &mut cell, ask).is_none();
            let higher = |ballot| ballot > node.cell.generation;
            let stays_refused = match ask.what {
                What::Write(generation) => !higher(generation),
                What::Read | What::Prepare(_) | What::Store(..) => true,
            };
            is_idle || is_fenced && (passed || refused && stays_refused)
        };
        state.asks.retain(|ask| !forever(ask));
        state.asks.sort_unstable();
        let wanted =
            |to: u8, target: u8| nodes[usize::from(to)].taking.is_some_and(|taking| taking.target == target);
        state.copies.retain(|(to, target, _)| wanted(*to, *target));
    }
}

impl Model for Config {
    type State = State;
    type Action = Step;

    fn init_states(&self) -> Vec<State> {
        let held = if self.exists { Held::alive(0) } else { Held::default() };
        let generation = u8::from(self.exists);
        let cell = Cell { generation, promised: generation, held, ..Cell::default() };
        let mut nodes = [Node::default(); NODES];
        for (at, node) in nodes.iter_mut().enumerate() {
            // Who comes later knows of the views before its own, and holds nothing.
            let owns = self.owners(1) & (1 << at) != 0;
            *node = Node {
                view: 1,
                complete_in: u8::from(owns),
                cell: if owns { cell } else { Cell::default() },
                taking: None,
            };
        }
        vec![State {
            nodes,
            chosen: 1,
            operations: vec![Operation::default(); self.operations.len()],
            asks: Vec::new(),
            copies: Vec::new(),
            ballots: 0,
            burial: None,
            seen: Seen::default(),
            is_ending: false,
            amnesias: 0,
            broken: false,
        }]
    }

    fn actions(&self, state: &State, steps: &mut Vec<Step>) {
        for id in 0..state.operations.len() {
            let ways = coordinator::ways(self, state, id);
            steps.extend(ways.into_iter().map(|(view, how)| Step::Begin(id, view, how)));
            let quorums = coordinator::quorums(self, &state.operations[id]);
            steps.extend(quorums.into_iter().map(|by| Step::GoOn(id, by)));
        }
        steps.extend(
            state.asks.iter().filter(|ask| self.may_deliver(state, ask)).map(|ask| Step::Deliver(*ask)),
        );
        if usize::from(state.chosen) < self.views.len() {
            steps.push(Step::Choose);
        }
        steps.extend((0..state.copies.len()).map(Step::Take));
        for at in 0..NODES as u8 {
            let node = &state.nodes[usize::from(at)];
            let may = [
                (node.view < state.chosen, Step::Learn(at)),
                (transfer::may_drop(self, state, at), Step::Drop(at)),
                (burial::may_bury(self, state, at), Step::Bury(at)),
                (burial::has_tombstone(self, state, at), Step::Acknowledge(at)),
                (burial::may_settle(self, state, at), Step::Settle(at)),
                (burial::may_forget(self, state, at), Step::Forget(at)),
                (state.amnesias < self.amnesias && node.complete_in > 0, Step::Amnesia(at)),
            ];
            steps.extend(may.into_iter().filter(|(may, _)| *may).map(|(_, step)| step));
            let told = (0..NODES as u8).filter(|to| transfer::tells(self, state, at, *to));
            steps.extend(told.map(|to| Step::Tell(at, to)));
        }
    }

    fn next_state(&self, last: &State, step: Step) -> Option<State> {
        let mut next = last.clone();
        let state = &mut next;
        match step {
            Step::Begin(id, view, how) => coordinator::begin(self, state, id, view, how),
            Step::Deliver(ask) => {
                state.asks.retain(|other| *other != ask);
                self.deliver(state, &ask);
            }
            Step::GoOn(id, by) => coordinator::go_on(self, state, id, by),
            Step::Choose => state.chosen += 1,
            Step::Learn(at) => transfer::learn(self, state, at),
            Step::Tell(from, to) => transfer::tell(self, state, from, to),
            Step::Take(at) => {
                let (to, _, cell) = state.copies.remove(at);
                transfer::take_complete(self, state, to, cell);
            }
            Step::Drop(at) => {
                let node = &mut state.nodes[usize::from(at)];
                (node.complete_in, node.cell, node.taking) = (0, Cell::default(), None);
            }
            Step::Bury(at) => burial::bury(state, at),
            Step::Acknowledge(at) => burial::acknowledge(state, at),
            Step::Settle(at) => burial::settle(state, at),
            Step::Forget(at) => burial::forget(self, state, at),
            Step::Amnesia(at) => {
                state.nodes[usize::from(at)].cell = Cell::default();
                state.amnesias += 1;
            }
        }
        self.tidy(state);
        (next != *last).then_some(next)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always(KNOWN, |config: &Self, state: &State| {
                checks::every_majority_knows(config, state)
            }),
            Property::always(TOLD, |_, state: &State| !state.broken),
            Property::sometimes(DONE, |config: &Self, state: &State| {
                let done = |operation: &Operation| operation.stage == Stage::Done;
                state.operations.iter().all(done) && usize::from(state.chosen) == config.views.len()
            }),
            Property::sometimes(FORGOTTEN, burial::all_forgot),
        ]
    }
}

pub(crate) const KNOWN: &str = "whatever majority is asked knows what clients were told";
pub(crate) const TOLD: &str = "no answer has less than what was told before it was asked for";
pub(crate) const DONE: &str = "all operations are answered, in the last view";
pub(crate) const FORGOTTEN: &str = "an end is forgotten by all owners";
