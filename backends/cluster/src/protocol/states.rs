//! What the owners told in one attempt of an operation, and what that comes to.

use std::collections::BTreeMap;

use super::ids::{Ballot, NodeId};
use super::message::No;
use super::replica::{Body, State};
use super::value::{Digest, Held, digest, join};

/// What those told who know most.
#[derive(Debug)]
pub(crate) struct Best {
    pub(crate) generation: Ballot,
    pub(crate) value: Held,
    /// That of the value.
    pub(crate) digest: Digest,
}

/// What the owners told in one attempt.
#[derive(Debug, Default)]
pub(crate) struct States {
    pub(crate) told: BTreeMap<NodeId, State>,
    pub(crate) refused: BTreeMap<NodeId, No>,
}

impl States {
    /// The highest generation that was told, and the join of its copies; `None` where a body is missing.
    pub(crate) fn best(&self) -> Option<Best> {
        let generation = self.told.values().map(|state| state.generation).max()?;
        let of_it = || self.told.values().filter(|state| state.generation == generation);
        let first = of_it().next()?.digest;
        let is_one = of_it().all(|state| state.digest == first);
        let mut joined: Held = None;
        for digest in of_it().map(|state| state.digest) {
            let body = |state: &&State| matches!(&state.body, Body::Given(_)) && state.digest == digest;
            let state = of_it().find(body)?;
            if let Body::Given(held) = &state.body {
                joined = join(&joined, held);
            }
        }
        // It takes as long as the rest of a read.
        let digest = if is_one { first } else { digest(&joined) };
        Some(Best { generation, value: joined, digest })
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

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use abide_core::{Changes, CommitRules, NewRecord, Record, Stamps, Timestamp, Token};

    use super::*;
    use crate::protocol::deeds::Deeds;
    use crate::protocol::value::Value;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn told(states: &mut States, by: u64, value: &Held, body: bool) {
        let generation = Ballot::floor(NOW);
        let body = if body { Body::Given(value.clone()) } else { Body::Omitted };
        states.told.insert(NodeId(by), State { generation, digest: digest(value), body });
    }

    /// A session after a write under this name.
    fn written(name: &'static str) -> Held {
        let (stamps, token) = (Stamps::new(7), Token::from_bytes([1; 32]));
        let record = Record::create(NewRecord::new(stamps.next(NOW), [0; 16], token.verifier(), NOW));
        let mut changes = Changes::new(stamps.next(NOW), record.era().unwrap().id());
        changes.set(name, b"1".as_slice());
        let record = record.commit(&changes, &CommitRules::at(NOW)).unwrap().unwrap();
        Some(Value::Session(Arc::new(record), Deeds::default()))
    }

    #[test]
    fn what_is_best_goes_by_the_digest_of_its_value_whether_copies_are_alike_or_not() {
        let (one, other) = (written("a"), written("b"));
        let mut states = States::default();
        told(&mut states, 1, &one, true);
        told(&mut states, 2, &one, false);
        let best = states.best().unwrap();
        assert_eq!((&best.value, best.digest), (&one, digest(&one)));
        assert_eq!(states.like(best.generation, best.digest), [NodeId(1), NodeId(2)]);

        told(&mut states, 3, &other, true);
        let best = states.best().unwrap();
        assert_eq!((&best.value, best.digest), (&join(&one, &other), digest(&join(&one, &other))));
        assert!(states.like(best.generation, best.digest).is_empty(), "nobody holds what they know together");

        told(&mut states, 3, &other, false);
        assert!(states.best().is_none(), "what one of them knows is missing");
    }
}
