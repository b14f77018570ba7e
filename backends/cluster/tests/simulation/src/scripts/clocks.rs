//! Deadlines pass, and clocks jump.

use std::time::Duration;

use abide_cluster::protocol::Variant;
use abide_core::SessionKey;

use crate::director::Director;
use crate::fault::Fault;
use crate::run::Outcome;

const HOUR: i64 = 3_600;
const IDLE: Duration = Duration::from_secs(20);

/// One clock jumps by an hour. Sessions are alive at every process until their deadline, and over after it, whether somebody
/// asks for them or not.
pub(super) fn deadlines(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| {
        (scenario.slots, scenario.clock_runs) = (4, true);
    });
    let by = if seed % 2 == 0 { HOUR } else { -HOUR };
    let keys: Vec<SessionKey> = (0..6).filter_map(|_| director.create(0, IDLE)).collect();
    let jumps = director.rng.below(3);
    director.strike(Fault::ClockJump(jumps, by));
    let what = (|| {
        director.pass(Duration::from_secs(16));
        for (n, key) in keys.iter().enumerate() {
            if director.load(n % 3, *key).is_ok_and(|found| found.is_none()) {
                return Err(format!("{key:?} is over before its deadline"));
            }
        }
        // The first ones are asked for as soon as they are over, the others never.
        director.pass(Duration::from_millis(4_100));
        for (n, key) in keys.iter().take(3).enumerate() {
            if director.load(n % 3, *key).is_ok_and(|found| found.is_some()) {
                return Err(format!("{key:?} is alive after its deadline"));
            }
        }
        director.pass(Duration::from_secs(6));
        let nodes = director.world.processes.iter().filter_map(|process| process.node.as_ref());
        let mut cells = nodes.flat_map(|node| (0..4).flat_map(|slot| node.slot_report(slot).cells));
        match cells.find(|(.., is_tombstone)| !is_tombstone) {
            Some(cell) => Err(format!("nobody ended {cell:?}")),
            None => Ok(()),
        }
    })();
    director.judged("deadlines are kept", what)
}

/// Two of three members go, and the clock of the last one jumps.
pub(super) fn last_clock(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| scenario.clock_runs = true);
    let what = (|| {
        let key = director.create(0, Duration::from_secs(600))?;
        director.strike(Fault::ClockJump(2, HOUR));
        director.strike(Fault::Isolated(0, Duration::from_secs(40)));
        // Once it is suspected, the other one is let go together with it alone.
        director.pass(Duration::from_secs(3));
        director.world.give(1, director.id(1), abide_cluster::protocol::Input::Leave);
        let alone = |world: &crate::world::World| {
            let view = world.processes[2].node.as_ref().and_then(|node| node.view());
            view.is_some_and(|view| view.members.len() == 1)
        };
        if !director.until(alone) {
            return Some(Err("the last one is never alone".to_owned()));
        }
        director.pass(Duration::from_millis(100));
        let found = director.load(2, key).ok()?;
        Some(if found.is_none() { Err(format!("{key:?} is over before its deadline")) } else { Ok(()) })
    })();
    director.judged("deadlines are kept", what.unwrap_or(Ok(())))
}
