//! What must hold, whatever happens.

use crate::config::Config;
use crate::coordinator::best;
use crate::owner::answers;
use crate::state::{Held, Nodes, Seen, State, each, majority};

/// Whether what is found now is no less than what clients were told before.
pub(crate) fn holds(seen: Seen, is_ending: bool, held: Held) -> bool {
    if seen.ended {
        return !held.is_alive();
    }
    let has_all = held.is_alive() && held.has & seen.has == seen.has;
    has_all || is_ending && !held.is_alive() || seen.has == 0 && !held.exists
}

/// Whatever majority of the owners in whatever view somebody asked right now, it would find all that clients were told.
pub(crate) fn every_majority_knows(config: &Config, state: &State) -> bool {
    (1..=state.chosen).all(|view| {
        let owners = config.owners(view);
        let serving = each(owners)
            .filter(|at| answers(config, &state.nodes[usize::from(*at)], *at, view))
            .fold(0, |nodes: Nodes, at| nodes | 1 << at);
        majorities(serving, majority(owners)).all(|quorum| {
            let told = each(quorum).map(|at| state.nodes[usize::from(at)].cell);
            let (_, held, _) = best(told.map(|cell| (cell.generation, cell.held)));
            holds(state.seen, state.is_ending, held)
        })
    })
}

fn majorities(of: Nodes, needed: u32) -> impl Iterator<Item = Nodes> {
    (1..=of).filter(move |some| some & !of == 0 && some.count_ones() == needed)
}
