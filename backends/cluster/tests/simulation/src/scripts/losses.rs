//! More is lost than the protocol promises to survive: what must hold even then.

use std::time::Duration;

use abide_cluster::protocol::{Node, Variant};
use abide_core::{ErrorKind, Readiness, SessionKey};

use crate::director::Director;
use crate::event::What;
use crate::fault::Fault;
use crate::run::Outcome;

const IDLE: Duration = Duration::from_secs(1_000);

fn begin_all(director: &mut Director, count: usize) {
    for at in 0..count {
        let delay = Duration::from_millis(director.rng.next_u64() % 1_000);
        director.world.after(delay, What::Begin(at));
    }
}

/// Every process is killed, and begins anew: nothing is left, another cluster says so, and it serves.
pub(super) fn restart_of_all(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |_| {});
    let cluster = |director: &Director| director.node(0).and_then(Node::view).map(|view| view.cluster);
    let before = cluster(&director);
    let old = director.create(0, IDLE);
    director.world.kill_all();
    begin_all(&mut director, 3);
    director.pass(Duration::from_secs(8));
    let what = (|| {
        if let Some(why) = director.comes_to_rest() {
            return Err(why);
        }
        if cluster(&director) == before {
            return Err("it goes by the name of the old cluster".to_owned());
        }
        if old.and_then(|key| director.found(key)).is_some() {
            return Err("a session came from nowhere".to_owned());
        }
        let new = director.create(1, IDLE).ok_or("no session can be made")?;
        director.found(new).map(drop).ok_or_else(|| "a new session is not found".to_owned())
    })();
    director.judged("after a restart of all a new cluster serves", what)
}

/// Three of five members die at once. The others refuse, until an operator says that they are all that is left.
pub(super) fn recovery(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| {
        (scenario.processes, scenario.slots) = (5, 8);
    });
    let (lags, dies, deaf) = (seed % 4 == 1, seed % 4 == 2, seed % 4 == 3);
    let keys: Vec<SessionKey> = (0..12).filter_map(|_| director.create(0, IDLE)).collect();
    if lags {
        // The other survivor has not heard of the last view.
        director.strike(Fault::Lost("views", None, Some(4), Duration::from_secs(2)));
        director.strike(Fault::Start(5));
        director.pass(Duration::from_secs(1));
        director.world.kill(5);
    }
    (0..3).for_each(|at| director.world.kill(at));
    // What was on its way is heard a little later, and the time of those that died is known for three seconds from then on.
    director.pass_ms(3_100);
    let what = (|| {
        refuses(&mut director, keys[0])?;
        if deaf {
            // The other survivor is not told of the new cluster, and finds out that it is in it.
            director.strike(Fault::Lost("views", Some(4), Some(3), Duration::from_millis(300)));
        }
        director.world.recover();
        if dies {
            director.world.kill(4);
            director.pass(Duration::from_secs(4));
            director.world.recover();
        }
        director.pass(Duration::from_secs(2));
        let doubtful = director.world.recovered.clone();
        let found = keys.iter().filter(|key| director.found(**key).is_some()).count();
        match (dies, doubtful.as_slice()) {
            (true, [_, _]) => {}
            (false, [doubtful]) if found == keys.len() || *doubtful > 0 => {}
            _ => return Err(format!("{found} of {} sessions, {doubtful:?} slots in doubt", keys.len())),
        }
        begin_all(&mut director, 5);
        director.pass(Duration::from_secs(2));
        director.comes_to_rest().map_or(Ok(()), Err)?;
        let left = keys.iter().filter(|key| director.found(**key).is_some()).count();
        if left == found { Ok(()) } else { Err(format!("{found} sessions, and then {left}")) }
    })();
    director.judged("a recovered cluster serves", what)
}

fn refuses(director: &mut Director, key: SessionKey) -> Result<(), String> {
    let ready = director.node(3).map(Node::ready);
    if ready.as_ref().is_none_or(|ready| *ready == Readiness::Ready) {
        return Err(format!("without a majority it is {ready:?}"));
    }
    match director.load(3, key) {
        Err(error) if error.kind() == ErrorKind::Unavailable => Ok(()),
        other => Err(format!("without a majority it answers {other:?}")),
    }
}
