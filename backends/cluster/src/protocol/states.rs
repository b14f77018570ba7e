//! What the owners told in one attempt of an operation, and what that comes to.

use std::collections::BTreeMap;

use super::ids::{Ballot, NodeId};
use super::message::No;
use super::replica::{Body, State};
use super::value::{Digest, Held, join};

/// What the owners told in one attempt.
#[derive(Debug, Default)]
pub(crate) struct States {
    pub(crate) told: BTreeMap<NodeId, State>,
    pub(crate) refused: BTreeMap<NodeId, No>,
}

impl States {
    /// The highest generation that was told, and the join of its copies; `None` where a body is missing.
    pub(crate) fn best(&self) -> Option<(Ballot, Held)> {
        let highest = self.told.values().map(|state| state.generation).max()?;
        let of_it = || self.told.values().filter(|state| state.generation == highest);
        let mut joined: Held = None;
        for digest in of_it().map(|state| state.digest) {
            let body = |state: &&State| matches!(&state.body, Body::Given(_)) && state.digest == digest;
            let state = of_it().find(body)?;
            if let Body::Given(held) = &state.body {
                joined = join(&joined, held);
            }
        }
        Some((highest, joined))
    }

    /// The highest ballot that stood in the way.
    pub(crate) fn overtaken(&self) -> Option<Ballot> {
        let by = |no: &No| if let No::Overtaken(by) = no { Some(*by) } else { None };
        self.refused.values().filter_map(by).max()
    }

    /// Who told exactly this.
    pub(crate) fn like(&self, generation: Ballot, digest: Digest) -> Vec<NodeId> {
        let same = |state: &State| state.generation == generation && state.digest == digest;
        self.told.iter().filter(|(_, state)| same(state)).map(|(id, _)| *id).collect()
    }
}
