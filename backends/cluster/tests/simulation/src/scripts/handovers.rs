//! What comes too late for one view, and must not be counted in the next one.

use std::time::Duration;

use abide_cluster::protocol::{Answer, Input, Node, Variant};
use abide_core::{Error, Loaded, SessionKey};

use crate::director::Director;
use crate::event::What;
use crate::fault::Fault;
use crate::run::Outcome;

const IDLE: Duration = Duration::from_secs(1_000);
const LONG: Duration = Duration::from_secs(3);

/// The processes by their ids: the first one leads.
fn by_id(director: &Director) -> [usize; 3] {
    let mut order = [0, 1, 2];
    order.sort_by_key(|at| director.id(*at));
    order
}

/// Waits until these have all their slots of a view after `before`.
fn until_synced(director: &mut Director, processes: &[usize], before: u64) {
    director.until(|world| {
        processes.iter().all(|at| {
            let node = world.processes[*at].node.as_ref();
            node.is_some_and(|node| node.has_synced() && node.view().is_some_and(|v| v.number > before))
        })
    });
}

fn is_kept(director: &mut Director, key: SessionKey, name: &str) -> Result<(), String> {
    match director.found(key) {
        Some(loaded) if loaded.record.value(name).is_some() => Ok(()),
        other => Err(format!("{name} was acknowledged, and the session is {other:?}")),
    }
}

fn if_acknowledged(
    director: &mut Director,
    answer: &Result<Answer, Error>,
    key: SessionKey,
    name: &str,
) -> Result<(), String> {
    if answer.is_ok() { is_kept(director, key, name) } else { Ok(()) }
}

/// One member does not hear of the new view, and writes in the old one while the first of the others has taken over already, and
/// the second has not. Then it dies.
pub(super) fn late_write(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |_| {});
    let [leads, other, lags] = by_id(&director);
    let what = (|| {
        let key = director.create(leads, IDLE)?;
        let loaded = director.load(lags, key).ok()??;
        let set = director.sets(key, &loaded, "late")?;
        let before = director.view(leads);
        director.strike(Fault::Lost("views", None, Some(lags), LONG));
        director.strike(Fault::Lost("pulled", Some(lags), None, LONG));
        director.strike(Fault::Start(3));
        director.until(|world| {
            let view = world.processes[leads].node.as_ref().and_then(|node| node.view());
            view.is_some_and(|view| view.number > before)
        });
        // The one takes over what the other holds, and the other does not hear of it for a while.
        director.strike(Fault::Lost("pulled", None, Some(leads), Duration::from_millis(400)));
        director.pass_ms(5);
        let answer = director.ask(lags, set);
        director.pass_ms(500);
        director.world.kill(lags);
        // Any majority has it, also one without the first of the others.
        director.strike(Fault::Lost("reply", Some(other), None, Duration::from_millis(900)));
        let without = director.load(leads, key).ok().flatten();
        if answer.is_ok() && without.is_some_and(|loaded| loaded.record.value("late").is_none()) {
            return Some(Err("late was acknowledged, and a majority lacks it".to_owned()));
        }
        director.pass(Duration::from_secs(3));
        Some(if_acknowledged(&mut director, &answer, key, "late"))
    })();
    director.judged("what was acknowledged stays", what.unwrap_or(Ok(())))
}

/// A ballot reaches its proposer's own copy alone, and the view changes without that copy. Whoever decides then must decide
/// after it, or it would win once the proposer is back.
pub(super) fn forgotten_promise(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |_| {});
    let [leads, other, proposes] = by_id(&director);
    let what = (|| {
        let key = director.create(leads, IDLE)?;
        // Its stamps are ahead of the others' from here on.
        for _ in 0..20 {
            director.create(proposes, IDLE)?;
        }
        let loaded = director.load(proposes, key).ok()??;
        let minority = director.updates(key, &loaded, "minority")?;
        director.strike(Fault::Lost("store", Some(proposes), None, LONG));
        director.strike(Fault::Lost("views", None, Some(proposes), LONG));
        director.strike(Fault::Lost("pulled", Some(proposes), None, LONG));
        let doubtful = director.begin(proposes, minority);
        let before = director.view(leads);
        director.strike(Fault::Start(3));
        until_synced(&mut director, &[leads, other], before);
        let loaded = director.load(other, key).ok()??;
        let update = director.updates(key, &loaded, "later")?;
        let answer = director.ask(other, update);
        let _ = director.answer(doubtful);
        director.pass(Duration::from_secs(4));
        // It answers with what it has itself.
        let _ = director.load(proposes, key);
        Some(if_acknowledged(&mut director, &answer, key, "later"))
    })();
    director.judged("what was acknowledged stays", what.unwrap_or(Ok(())))
}

/// An update reaches its proposer's own copy alone, and so does a later one that had the promises of the other two. The view changes,
/// and all but the second proposer take the first update over, below the promise for the second. Whoever reads there finds the
/// first one everywhere, though a ballot that does not know it may still win.
pub(super) fn hearsay(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| scenario.copies = 5);
    let [other, first, second] = by_id(&director);
    let what = (|| {
        let key = director.create(other, IDLE)?;
        let loaded = director.load(other, key).ok()??;
        for (proposes, name) in [(first, "first"), (second, "second")] {
            let update = director.updates(key, &loaded, name)?;
            director.strike(Fault::Lost("store", Some(proposes), None, LONG));
            let ticket = director.begin(proposes, update);
            director.pass_ms(20);
            // What it tries again reaches nobody.
            director.strike(Fault::Isolated(proposes, Duration::from_millis(1_200)));
            let _ = director.answer(ticket);
            director.pass_ms(200);
            director.world.mend_network();
        }
        director.strike(Fault::Lost("pulled", Some(second), None, LONG));
        director.strike(Fault::Lost("reply", Some(second), None, LONG));
        let before = director.view(other);
        director.strike(Fault::Start(3));
        until_synced(&mut director, &[other, first, 3], before);
        let seen = director.load(other, key).ok()??;
        director.pass(LONG);
        let shows = |loaded: &Loaded, name| loaded.record.value(name).is_some();
        let later = director.load(second, key).ok()??;
        let is_lost = |name| shows(&seen, name) && !shows(&later, name);
        let lost = ["first", "second"].into_iter().find(|name| is_lost(*name));
        Some(lost.map_or(Ok(()), |name| Err(format!("{name} was seen, and is gone"))))
    })();
    director.judged("what was seen stays", what.unwrap_or(Ok(())))
}

/// Four members keep everything; one is dead, and another one leaves. A new one hears from two of the four before the one that
/// leaves dies too: the two that go on have all by then, and are asked again.
pub(super) fn giver_dies(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| {
        (scenario.processes, scenario.copies) = (4, 5);
    });
    director.world.kill(0);
    director.strike(Fault::Lost("pulled", Some(1), Some(0), Duration::from_secs(20)));
    director.world.after(Duration::from_millis(300), What::Begin(0));
    director.world.give(1, director.id(1), Input::Leave);
    let before = director.view(2);
    until_synced(&mut director, &[2, 3], before);
    director.world.kill(1);
    director.pass(Duration::from_secs(2));
    let is_synced = director.node(0).is_some_and(Node::has_synced);
    let what = if is_synced { Ok(()) } else { Err("it never has its slots".to_owned()) };
    director.judged("a new owner takes its slots over", what)
}
