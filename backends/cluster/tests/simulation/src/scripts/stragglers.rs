//! Processes that know too little: joiners, and members that were away for long.

use std::time::Duration;

use abide_cluster::protocol::Variant;

use crate::director::Director;
use crate::fault::Fault;
use crate::run::Outcome;

const AWAY: Duration = Duration::from_secs(200);

/// One of three members dies, another one is cut off, and joiners near the third one agree with it.
pub(super) fn votes_of_joiners(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |_| {});
    let cut_off = director.id(0);
    director.world.kill(2);
    director.strike(Fault::Split(1, Duration::from_secs(13)));
    director.strike(Fault::Start(3));
    director.strike(Fault::Start(4));
    director.pass(Duration::from_secs(20));
    let what = if director.id(0) == cut_off {
        Ok(())
    } else {
        Err("a member was taken out on the word of joiners".to_owned())
    };
    director.judged("a majority of the members evicts", what)
}

/// Each of the first processes begins anew, one after the other.
fn replace(director: &mut Director, count: usize) {
    for at in 0..count {
        let before = director.id(at);
        director.strike(Fault::Leave(at, Some(Duration::from_millis(200))));
        director.until(|world| world.id(at).is_some_and(|id| id != before));
        director.until(|world| {
            let node = world.processes[at].node.as_ref();
            node.is_some_and(|node| node.ready() == abide_core::Readiness::Ready)
        });
        director.pass_ms(700);
    }
}

fn rests(mut director: Director) -> Outcome {
    let what = director.comes_to_rest().map_or(Ok(()), Err);
    director.judged("after healing all owners are equal", what)
}

/// A joiner hears that there is a cluster, and is not heard.
pub(super) fn old_contacts(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| scenario.seeds = 4);
    director.strike(Fault::Lost("want", Some(3), None, AWAY));
    director.strike(Fault::Start(3));
    director.pass(Duration::from_secs(1));
    replace(&mut director, 3);
    rests(director)
}

/// A member that nobody looks for is out of reach until all others are new ones.
pub(super) fn old_members(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| scenario.processes = 4);
    director.strike(Fault::Isolated(3, AWAY));
    director.pass(Duration::from_secs(14));
    replace(&mut director, 3);
    rests(director)
}

/// As before, until there were more views than anybody remembers.
pub(super) fn old_views(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| scenario.processes = 4);
    let last = director.view(3);
    director.strike(Fault::Isolated(3, AWAY * 10));
    director.pass(Duration::from_secs(14));
    while director.view(0) < last + 70 {
        replace(&mut director, 3);
    }
    rests(director)
}
