//! A view is learnt, and with it the copy of the view before is sealed; a copy is taken from a majority that sealed theirs:
//! `transfer`. What is copied in advance only saves bytes, and is left out here.

use abide_cluster::protocol::Variant;

use crate::config::Config;
use crate::owner::absorb;
use crate::state::{Cell, Node, State, Taking, majority};

/// `Node::enter` and `Node::take_slots`: the node knows the next view, and answers for the last one no more.
pub(crate) fn learn(config: &Config, state: &mut State, at: u8) {
    state.nodes[usize::from(at)].view += 1;
    take_next(config, state, at);
}

/// `Node::next_target`.
fn next_target(config: &Config, node: &Node, at: u8) -> Option<u8> {
    (node.complete_in + 1..=node.view).find(|view| config.owners(*view) & (1 << at) != 0)
}

/// `Node::take_next`.
fn take_next(config: &Config, state: &mut State, at: u8) {
    let node = &mut state.nodes[usize::from(at)];
    if node.taking.is_some() {
        return;
    }
    let Some(target) = next_target(config, node, at) else { return };
    if target == 1 || config.is_broken(Variant::CountAtOnce) {
        node.complete_in = target;
        return take_next(config, state, at);
    }
    let mut taking = Taking { target, answered: 0, cell: Cell::default() };
    if node.complete_in + 1 == target {
        taking.cell = Cell { settled: None, began: 0, ..node.cell };
        if config.is_broken(Variant::ForgetPromises) {
            taking.cell.promised = taking.cell.generation;
        }
        taking.answered = 1 << at;
    }
    node.taking = Some(taking);
    take_if_complete(config, state, at);
}

/// `Node::take_if_complete`.
fn take_if_complete(config: &Config, state: &mut State, at: u8) {
    let Some(taking) = state.nodes[usize::from(at)].taking else { return };
    let owners = config.owners(taking.target - 1);
    let needed = if config.is_broken(Variant::SyncFromOne) { 1 } else { majority(owners) };
    if (owners & taking.answered).count_ones() >= needed {
        taken(config, state, at);
    }
}

/// `Node::taken`.
fn taken(config: &Config, state: &mut State, at: u8) {
    let node = &mut state.nodes[usize::from(at)];
    if let Some(taking) = node.taking.take() {
        (node.complete_in, node.cell) = (taking.target, taking.cell);
        take_next(config, state, at);
    }
}

/// `Node::on_pull`: whether the one has something to tell that the other wants.
pub(crate) fn tells(config: &Config, state: &State, from: u8, to: u8) -> bool {
    let (source, Some(taking)) = (&state.nodes[usize::from(from)], state.nodes[usize::from(to)].taking)
    else {
        return false;
    };
    let has_sealed = source.view >= taking.target || config.is_broken(Variant::NoSeal);
    let owned = config.owners(taking.target - 1) & (1 << from) != 0;
    let complete = source.complete_in >= taking.target;
    let is_news = taking.answered & (1 << from) == 0;
    let sealed = source.complete_in + 1 == taking.target && source.complete_in > 0;
    from != to && has_sealed && (complete || owned && sealed && is_news)
}

/// The one tells the other. A sealed copy changes no more, so it is taken over at once; a complete one may change until it
/// arrives.
pub(crate) fn tell(config: &Config, state: &mut State, from: u8, to: u8) {
    let Some(taking) = state.nodes[usize::from(to)].taking else { return };
    let source = state.nodes[usize::from(from)];
    if source.complete_in >= taking.target {
        state.copies.push((to, taking.target, source.cell));
        state.copies.sort_unstable();
        state.copies.dedup();
    } else {
        pulled(config, state, to, source.cell);
        if let Some(taking) = &mut state.nodes[usize::from(to)].taking {
            taking.answered |= 1 << from;
        }
        take_if_complete(config, state, to);
    }
}

/// `Node::on_pulled`, of a copy that is complete in the target or later.
pub(crate) fn take_complete(config: &Config, state: &mut State, to: u8, cell: Cell) {
    pulled(config, state, to, cell);
    taken(config, state, to);
}

fn pulled(config: &Config, state: &mut State, to: u8, cell: Cell) {
    if let Some(taking) = &mut state.nodes[usize::from(to)].taking {
        let forgets = config.is_broken(Variant::ForgetPromises);
        let promised = if forgets { cell.generation } else { cell.promised };
        absorb(&mut taking.cell, cell.generation, promised, cell.held);
    }
}

/// `Node::sync_on`: whether the node may let go of its copy, for all owners have theirs and it is none of them.
pub(crate) fn may_drop(config: &Config, state: &State, at: u8) -> bool {
    let node = &state.nodes[usize::from(at)];
    let owners = config.owners(node.view);
    let synced = |owner: u8| {
        let owner = &state.nodes[usize::from(owner)];
        owner.view == node.view && owner.complete_in == node.view
    };
    node.complete_in > 0 && owners & (1 << at) == 0 && crate::state::each(owners).all(synced)
}
