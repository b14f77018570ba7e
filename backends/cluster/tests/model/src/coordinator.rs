//! The coordinator of an operation: `operation`, `read`, `write`, `cas`.

use abide_cluster::protocol::Variant;

use crate::config::{Config, Kind};
use crate::owner;
use crate::state::{Ask, Ballot, Held, NODES, Nodes, Operation, Stage, State, Told, What, each, majority};

/// How an operation begins, or begins again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// It asks what owners hold.
    Read,
    /// It writes into a generation that its node knows.
    Write(Ballot),
    /// It asks for promises.
    Prepare(Ballot),
    /// Without asking, it decides by the copy of one owner.
    Alone(Ballot, u8),
    /// What it stores counts on in the next view.
    Across,
}

/// The ways in which an operation may begin now.
pub(crate) fn ways(config: &Config, state: &State, id: usize) -> Vec<(u8, How)> {
    let (operation, kind) = (&state.operations[id], config.operations[id]);
    let mut ways = Vec::new();
    if matches!(operation.stage, Stage::Done | Stage::Over) {
        return ways;
    }
    for view in 1..=state.chosen {
        // Where all owners went on, it could as well have begun earlier.
        if !each(config.owners(view)).any(|owner| state.nodes[usize::from(owner)].view <= view) {
            continue;
        }
        if config.is_broken(Variant::AcknowledgeAcrossViews)
            && matches!(operation.stage, Stage::Storing(..))
            && operation.view + 1 == view
        {
            ways.push((view, How::Across));
        }
        if operation.attempts >= config.attempts {
            continue;
        }
        match kind {
            Kind::Read => ways.push((view, How::Read)),
            Kind::Write if operation.attempts == 0 => {
                ways.extend(generations(state).into_iter().map(|generation| (view, How::Write(generation))));
                continue;
            }
            _ => {}
        }
        if kind == Kind::Read && operation.attempts == 0 {
            continue;
        }
        for ballot in (2..2 + config.ballots).filter(|ballot| state.ballots & (1 << ballot) == 0) {
            if config.is_broken(Variant::CompareAtOneOwner) {
                let serving = |at: &u8| owner::answers(config, &state.nodes[usize::from(*at)], *at, view);
                ways.extend(
                    each(config.owners(view)).filter(serving).map(|at| (view, How::Alone(ballot, at))),
                );
            } else {
                ways.push((view, How::Prepare(ballot)));
            }
        }
    }
    ways
}

/// The generations in which somebody holds a session: a node knows one from its own copy, or from what it did last.
fn generations(state: &State) -> Vec<Ballot> {
    let alive = state.nodes.iter().filter(|node| node.complete_in > 0 && node.cell.held.is_alive());
    let mut generations: Vec<Ballot> = alive.map(|node| node.cell.generation).collect();
    generations.sort_unstable();
    generations.dedup();
    generations
}

/// `Node::attempt`.
pub(crate) fn begin(config: &Config, state: &mut State, id: usize, view: u8, how: How) {
    if state.operations[id].attempts == 0 {
        state.operations[id].must = state.seen;
        state.is_ending |= config.operations[id] == Kind::End;
    }
    let operation = &mut state.operations[id];
    operation.view = view;
    if how == How::Across {
        if let Stage::Storing(ballot, held, _) = operation.stage {
            ask_owners(config, state, id, What::Store(ballot, held));
        }
        return;
    }
    operation.attempts += 1;
    let nothing = [None; NODES];
    match how {
        How::Read => {
            operation.stage = Stage::Reading(nothing);
            ask_owners(config, state, id, What::Read);
        }
        How::Write(generation) => {
            operation.stage = Stage::Writing(generation, nothing);
            ask_owners(config, state, id, What::Write(generation));
        }
        How::Prepare(ballot) => {
            state.ballots |= 1 << ballot;
            operation.stage = Stage::Preparing(ballot, nothing);
            ask_owners(config, state, id, What::Prepare(ballot));
        }
        How::Alone(ballot, at) => {
            state.ballots |= 1 << ballot;
            let held = state.nodes[usize::from(at)].cell.held;
            propose(config, state, id, ballot, held);
        }
        How::Across => {}
    }
}

/// `Node::ask_all`.
fn ask_owners(config: &Config, state: &mut State, id: usize, what: What) {
    let operation = &mut state.operations[id];
    operation.round += 1;
    let (round, view) = (operation.round, operation.view);
    let ask = |to| Ask { operation: id as u8, round, view, to, what };
    state.asks.extend(each(config.owners(view)).map(ask));
}

/// `Node::on_reply`.
pub(crate) fn hear(config: &Config, operation: &mut Operation, ask: &Ask, told: (Ballot, Held)) {
    let across = config.is_broken(Variant::AcknowledgeAcrossViews);
    let is_current = ask.round == operation.round && ask.view == operation.view;
    let stored = match &mut operation.stage {
        Stage::Reading(all) | Stage::Writing(_, all) | Stage::Preparing(_, all) if is_current => {
            all[usize::from(ask.to)] = Some(told);
            return;
        }
        Stage::Storing(ballot, _, stored) => {
            let same = matches!(ask.what, What::Store(asked, ..) if asked == *ballot);
            if is_current || across && same { stored } else { return }
        }
        _ => return,
    };
    *stored |= 1 << ask.to;
}

/// Who answered so far.
fn answered(told: &Told) -> Nodes {
    (0..NODES).filter(|at| told[*at].is_some()).fold(0, |nodes, at| nodes | 1 << at)
}

/// By whose answers the coordinator may go on: any that are a majority, for others may be late.
pub(crate) fn quorums(config: &Config, operation: &Operation) -> Vec<Nodes> {
    let needed = majority(config.owners(operation.view));
    match &operation.stage {
        Stage::Reading(told) | Stage::Writing(_, told) | Stage::Preparing(_, told) => {
            let all = answered(told);
            (1..=all).filter(|some| some & !all == 0 && some.count_ones() >= needed).collect()
        }
        Stage::Storing(_, _, stored) if stored.count_ones() >= needed => vec![*stored],
        _ => Vec::new(),
    }
}

/// `States::best`: the highest generation, and the join of its copies; and how many hold exactly that.
pub(crate) fn best(told: impl Iterator<Item = (Ballot, Held)> + Clone) -> (Ballot, Held, u32) {
    let highest = told.clone().map(|(generation, _)| generation).max().unwrap_or(0);
    let of_it = told.filter(|(generation, _)| *generation == highest).map(|(_, held)| held);
    let joined = of_it.clone().fold(Held::default(), Held::join);
    (highest, joined, of_it.filter(|held| *held == joined).count() as u32)
}

/// The answers of a majority are there: `read_on`, `write_on`, `decide_on`, `store_on`.
pub(crate) fn go_on(config: &Config, state: &mut State, id: usize, by: Nodes) {
    let operation = state.operations[id];
    let needed = majority(config.owners(operation.view));
    let of =
        |told: Told| best(each(by).filter_map(|at| told[usize::from(at)]).collect::<Vec<_>>().into_iter());
    match operation.stage {
        Stage::Reading(told) => {
            let (generation, held, alike) = of(told);
            if alike >= needed {
                finish(config, state, id, held);
            } else if config.is_broken(Variant::RepairAfterAnswer) {
                ask_owners(config, state, id, What::Store(generation, held));
                finish(config, state, id, held);
            } else {
                store(config, state, id, generation, held);
            }
        }
        Stage::Writing(_, told) => {
            let (generation, held, alike) = of(told);
            if alike >= needed {
                finish(config, state, id, held);
            } else {
                store(config, state, id, generation, held);
            }
        }
        Stage::Preparing(ballot, told) => propose(config, state, id, ballot, of(told).1),
        Stage::Storing(_, held, _) => finish(config, state, id, held),
        Stage::Idle | Stage::Done | Stage::Over => {}
    }
}

/// `Node::propose`.
fn propose(config: &Config, state: &mut State, id: usize, ballot: Ballot, held: Held) {
    let edited = edit(config.operations[id], 1 << id, held);
    store(config, state, id, ballot, edited);
}

/// `Edit::apply`.
fn edit(kind: Kind, bit: u8, held: Held) -> Held {
    match kind {
        Kind::Create if !held.exists => Held::alive(bit),
        Kind::Write | Kind::Update if held.is_alive() => Held::alive(held.has | bit),
        Kind::End => Held::ENDED,
        _ => held,
    }
}

/// `Node::store`.
fn store(config: &Config, state: &mut State, id: usize, ballot: Ballot, held: Held) {
    state.operations[id].stage = Stage::Storing(ballot, held, 0);
    ask_owners(config, state, id, What::Store(ballot, held));
}

/// `Node::finish`: the client is told what a majority stored.
fn finish(config: &Config, state: &mut State, id: usize, held: Held) {
    let operation = &mut state.operations[id];
    operation.stage = Stage::Done;
    state.broken |= !crate::checks::holds(operation.must, state.is_ending, held);
    let missed = config.operations[id] == Kind::End && held.is_alive();
    state.broken |= missed;
    state.seen.has |= held.has;
    state.seen.ended |= held.ended;
}
