//! Answers that must say that they do not know.

use std::time::Duration;

use abide_cluster::protocol::Variant;
use abide_core::ErrorKind;

use crate::director::Director;
use crate::fault::Fault;
use crate::run::Outcome;

const LONG: Duration = Duration::from_secs(3);

/// An update is stored by one owner alone. Its coordinator finds it there, tries to store it at the others, and is refused
/// everywhere because of its own later ballot: what it stored first is still there.
pub(super) fn refused_write_back(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| scenario.processes = 4);
    let what = (|| {
        let owners = director.node(0)?.slot_report(0).owners;
        let asked = (0..4).find(|at| !owners.contains(&director.id(*at)))?;
        let holds: Vec<usize> = (0..4).filter(|at| *at != asked).collect();
        let key = director.create(holds[0], Duration::from_secs(1_000))?;
        let loaded = director.load(holds[0], key).ok()??;
        let update = director.updates(key, &loaded, "doubtful")?;
        let took = |name: &'static str, count: u64| {
            move |world: &crate::world::World| {
                let steps = world.processes[asked].node.as_ref().map(|node| node.steps().clone());
                steps.and_then(|steps| steps.get(name).copied()).unwrap_or(0) >= count
            }
        };
        director.strike(Fault::Lost("store", Some(asked), Some(holds[1]), LONG));
        director.strike(Fault::Lost("store", Some(asked), Some(holds[2]), LONG));
        let ticket = director.begin(asked, update);
        director.until(took("cas: prepares", 2));
        director.strike(Fault::Lost("reply", None, Some(asked), LONG));
        director.until(took("read: asks the owners", 3));
        director.world.mend_network();
        director.until(took("read: stores what it found before it answers", 1));
        director.pass_ms(3);
        director.strike(Fault::Isolated(asked, Duration::from_secs(1)));
        let answer = director.answer(ticket);
        director.pass(LONG);
        let is_there = director.found(key).is_some_and(|loaded| loaded.record.value("doubtful").is_some());
        let denied = answer.is_err_and(|error| error.kind() == ErrorKind::Unavailable);
        Some(if is_there && denied { Err("it was denied, and is there".to_owned()) } else { Ok(()) })
    })();
    director.judged("who does not know says so", what.unwrap_or(Ok(())))
}
