//! Two clusters, or what would become two.

use std::time::Duration;

use abide_cluster::protocol::{Node, Variant};
use abide_core::SessionKey;

use crate::director::Director;
use crate::event::What;
use crate::fault::Fault;
use crate::run::Outcome;

/// Five processes hold every session; two of them are those that others look for, and these are killed at once.
fn without_seeds(seed: u64, variant: Option<Variant>, cut: Duration) -> (Director, Vec<SessionKey>) {
    let mut director = Director::new(seed, variant, |scenario| {
        (scenario.processes, scenario.seeds, scenario.copies, scenario.slots) = (5, 2, 5, 2);
        // By when they were founded clusters know which one is older.
        scenario.clock_runs = true;
    });
    let idle = Duration::from_secs(1_000);
    let keys = (0..4).filter_map(|n| director.create(n, idle)).collect();
    if cut > Duration::ZERO {
        director.strike(Fault::Split(2, cut));
    }
    for at in 0..2 {
        director.world.kill(at);
        director.world.after(Duration::from_millis(200 + 100 * at as u64), What::Begin(at));
    }
    director.pass(cut + Duration::from_secs(6));
    (director, keys)
}

fn stays_one(mut director: Director, keys: &[SessionKey], of: Option<u64>) -> Outcome {
    let what = (|| {
        director.comes_to_rest().map_or(Ok(()), Err)?;
        let nonce = director.node(0).and_then(Node::view).map(|view| view.cluster.nonce);
        if nonce != of {
            return Err("another cluster stayed".to_owned());
        }
        match keys.iter().find(|key| director.found(**key).is_none()) {
            Some(key) => Err(format!("{key:?} is lost")),
            None => Ok(()),
        }
    })();
    director.judged("two clusters never both serve under one name", what)
}

fn cluster_of(director: &Director, at: usize) -> Option<u64> {
    director.node(at).and_then(Node::view).map(|view| view.cluster.nonce)
}

/// They hear the others, and join them.
pub(super) fn seeds_restart(seed: u64, variant: Option<Variant>) -> Outcome {
    let (director, keys) = without_seeds(seed, variant, Duration::ZERO);
    let of = cluster_of(&director, 2);
    stays_one(director, &keys, of)
}

/// They do not hear the others, and cannot know of them: a second cluster, which yields once it meets the first.
pub(super) fn two_clusters(seed: u64, variant: Option<Variant>) -> Outcome {
    let (director, keys) = without_seeds(seed, variant, Duration::from_secs(12));
    let of = cluster_of(&director, 2);
    stays_one(director, &keys, of)
}
