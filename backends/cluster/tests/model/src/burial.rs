//! What is over is forgotten: `tombstones`.
//!
//! Time is not modelled but by what it brings about: before a tombstone goes, so much time passed since all owners had it
//! that the operations that had begun by then are over, and their messages too old to be taken.

use abide_cluster::protocol::Variant;

use crate::config::Config;
use crate::owner::answers;
use crate::state::{Burial, Nodes, Stage, State, each};

fn serves(config: &Config, state: &State, at: u8) -> bool {
    let node = &state.nodes[usize::from(at)];
    answers(config, node, at, node.view)
}

/// `Node::ask_to_bury`: whether an owner may ask the others now.
pub(crate) fn may_bury(config: &Config, state: &State, at: u8) -> bool {
    let node = &state.nodes[usize::from(at)];
    let is_quiet =
        node.cell.held.exists && node.cell.held.ended && node.cell.promised == node.cell.generation;
    let asked = state
        .burial
        .is_some_and(|burial| burial.view == node.view && burial.generation == node.cell.generation);
    serves(config, state, at) && is_quiet && !asked && !config.is_broken(Variant::TombstoneByTimer)
}

pub(crate) fn bury(state: &mut State, at: u8) {
    let node = &state.nodes[usize::from(at)];
    state.burial = Some(Burial { view: node.view, generation: node.cell.generation, by: 1 << at });
}

/// `Node::on_bury`.
pub(crate) fn has_tombstone(config: &Config, state: &State, at: u8) -> bool {
    let node = &state.nodes[usize::from(at)];
    state.burial.is_some_and(|burial| {
        let same = node.cell.held.ended && node.cell.generation == burial.generation;
        same && burial.view == node.view && serves(config, state, at) && burial.by & (1 << at) == 0
    })
}

pub(crate) fn acknowledge(state: &mut State, at: u8) {
    if let Some(burial) = &mut state.burial {
        burial.by |= 1 << at;
    }
}

/// `Node::on_settled`.
pub(crate) fn may_settle(config: &Config, state: &State, at: u8) -> bool {
    let Some(burial) = state.burial else { return false };
    let (node, owners) = (&state.nodes[usize::from(at)], config.owners(burial.view));
    let all: bool = owners & !burial.by == 0;
    let same = node.cell.held.ended && node.cell.generation == burial.generation;
    all && same && node.view == burial.view && serves(config, state, at) && node.cell.settled.is_none()
}

pub(crate) fn settle(state: &mut State, at: u8) {
    let began = (0..state.operations.len())
        .filter(|id| state.operations[*id].stage != Stage::Idle)
        .fold(0, |some, id| some | 1 << id);
    let node = &mut state.nodes[usize::from(at)];
    (node.cell.settled, node.cell.began) = (Some(node.view), began);
}

/// `Node::forget_settled`.
pub(crate) fn may_forget(config: &Config, state: &State, at: u8) -> bool {
    let cell = &state.nodes[usize::from(at)].cell;
    let old = config.is_broken(Variant::TombstoneByTimer) && cell.held.ended;
    serves(config, state, at) && (old || cell.settled == Some(state.nodes[usize::from(at)].view))
}

pub(crate) fn forget(config: &Config, state: &mut State, at: u8) {
    let cell = std::mem::take(&mut state.nodes[usize::from(at)].cell);
    let by_timer = config.is_broken(Variant::TombstoneByTimer);
    for id in 0..state.operations.len() {
        let is_old = by_timer || cell.began & (1 << id) != 0;
        let operation = &mut state.operations[id];
        // A key is made once: nobody makes it after its session is over.
        let too_late = config.operations[id] == crate::config::Kind::Create;
        if (is_old && operation.stage != Stage::Idle || too_late) && operation.stage != Stage::Done {
            operation.stage = Stage::Over;
        }
        if is_old && !config.is_broken(Variant::NoFence) {
            state.asks.retain(|ask| usize::from(ask.operation) != id);
        }
    }
}

/// The owners of the last view that forgot.
#[must_use]
pub(crate) fn all_forgot(config: &Config, state: &State) -> bool {
    let owners: Nodes = config.owners(state.chosen);
    state.seen.ended && each(owners).all(|at| !state.nodes[usize::from(at)].cell.held.exists)
}
