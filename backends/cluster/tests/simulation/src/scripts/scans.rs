//! Questions about all sessions.

use std::collections::BTreeSet;
use std::time::Duration;

use abide_cluster::protocol::{Answer, Request, Variant};
use abide_core::SessionKey;

use crate::director::Director;
use crate::fault::Fault;
use crate::run::Outcome;

const IDLE: Duration = Duration::from_secs(1_000);
const AWAY: Duration = Duration::from_secs(3);

/// One process missed sessions, and is asked for all of them once it is back; messages get lost meanwhile.
pub(super) fn missed(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| scenario.slots = 1_000);
    let before: Vec<SessionKey> = (0..4).filter_map(|_| director.create(0, IDLE)).collect();
    let away = director.rng.below(3);
    director.strike(Fault::Isolated(away, AWAY));
    let beside = (away + 1) % 3;
    let missed: Vec<SessionKey> = (0..4).filter_map(|_| director.create(beside, IDLE)).collect();
    let gone = before.first().is_some_and(|key| director.end(beside, *key));
    director.world.mend_network();
    director.strike(Fault::Loss(300, AWAY));
    let expected: BTreeSet<SessionKey> = before.into_iter().skip(usize::from(gone)).chain(missed).collect();
    let what = match all(&mut director, away) {
        Some(found) if !found.is_superset(&expected) => {
            Err(format!("{found:?} were found, and there are {expected:?}"))
        }
        _ => Ok(()),
    };
    director.pass(Duration::from_secs(2));
    let what = what.and_then(|()| match all(&mut director, away) {
        Some(found) if found == expected => Ok(()),
        found => Err(format!("{found:?} were found, and there are {expected:?}")),
    });
    director.judged("a scan finds every session", what)
}

/// All sessions as a process finds them, `None` where it does not reach enough of the others. One that ended is left out: who
/// missed its end may still tell of it.
fn all(director: &mut Director, at: usize) -> Option<BTreeSet<SessionKey>> {
    let (mut all, mut from) = (BTreeSet::new(), Some(0));
    while let Some(first) = from {
        let Ok(Answer::Sessions { keys, next }) = director.ask(at, Request::Sessions { from: first }) else {
            return None;
        };
        all.extend(keys);
        from = next;
    }
    let alive = all.into_iter().filter(|key| !matches!(director.load(at, *key), Ok(None)));
    Some(alive.collect())
}
