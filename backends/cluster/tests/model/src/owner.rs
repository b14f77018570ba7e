//! An owner's answer about the key: `Cell` in `replica`, `Node::answer` in `copies`.

use abide_cluster::protocol::Variant;

use crate::config::Config;
use crate::state::{Ask, Ballot, Cell, Held, Node, What};

/// `Node::serving`, and `Node::answer` where a rule is left out: whether the node answers a question of this view.
pub(crate) fn answers(config: &Config, node: &Node, at: u8, view: u8) -> bool {
    let counts_in = |view: u8| node.complete_in == view && config.owners(view) & (1 << at) != 0;
    if config.is_broken(Variant::NoFence) {
        return node.view > 0 && counts_in(node.view);
    }
    let unsealed = config.is_broken(Variant::NoSeal) && view + 1 == node.view && counts_in(view);
    view == node.view && counts_in(view) || unsealed
}

/// What the owner tells, and does to its cell; nothing where it refuses.
pub(crate) fn answer(config: &Config, cell: &mut Cell, ask: &Ask) -> Option<(Ballot, Held)> {
    match ask.what {
        What::Read if cell.is_hearsay && !config.is_broken(Variant::TrustHearsay) => return None,
        What::Read => {}
        What::Prepare(ballot) => promise(cell, ballot)?,
        What::Store(ballot, held) => store(cell, ballot, held)?,
        What::Write(generation) => write(config, cell, generation, 1 << ask.operation)?,
    }
    Some((cell.generation, cell.held))
}

/// `Cell::promise`.
fn promise(cell: &mut Cell, ballot: Ballot) -> Option<()> {
    (ballot >= cell.promised && ballot > cell.generation).then(|| cell.promised = ballot)
}

/// `Cell::store`.
fn store(cell: &mut Cell, ballot: Ballot, held: Held) -> Option<()> {
    (ballot >= cell.promised && ballot >= cell.generation).then(|| absorb(cell, ballot, ballot, held))
}

/// `Cell::absorb`.
pub(crate) fn absorb(cell: &mut Cell, generation: Ballot, promised: Ballot, held: Held) {
    if generation > cell.generation {
        cell.generation = generation;
        hold(cell, held);
    } else if generation == cell.generation {
        hold(cell, cell.held.join(held));
    }
    cell.promised = cell.promised.max(promised).max(cell.generation);
    cell.is_hearsay = cell.promised > cell.generation;
}

/// `Cell::write`.
fn write(config: &Config, cell: &mut Cell, generation: Ballot, has: u8) -> Option<()> {
    let frozen = cell.promised != cell.generation && !config.is_broken(Variant::WritesPastPromises);
    let other = cell.generation != generation && !config.is_broken(Variant::NoFence);
    if other || frozen || !cell.held.is_alive() {
        return None;
    }
    hold(cell, cell.held.join(Held::alive(has)));
    Some(())
}

fn hold(cell: &mut Cell, held: Held) {
    if held != cell.held {
        (cell.settled, cell.began) = (None, 0);
    }
    cell.held = held;
}
