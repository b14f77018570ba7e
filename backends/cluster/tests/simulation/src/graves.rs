//! Ends that one owner misses, and tombstones that are soon forgotten: what ended must stay so.

use std::task::Waker;
use std::time::Duration;

use abide_cluster::protocol::{Answer, Request, Variant};
use abide_conformance::interleavings::{Rng, START};
use abide_core::{CreateOptions, EndReason, NewRecord, Record, SessionKey, Stamps, Verifier};

use crate::fault::Fault;
use crate::run::Failure;
use crate::scenario::{BEGIN, Scenario};
use crate::world::World;

const SESSIONS: usize = 6;

/// Ends sessions while one process is out of reach, and looks for them when it is back.
#[must_use]
pub fn graves(seed: u64, variant: Option<Variant>) -> Option<Failure> {
    let mut rng = Rng::new(seed);
    let cut = Duration::from_millis(5_000 + rng.next_u64() % 3_500);
    let faults = vec![(BEGIN + Duration::from_secs(1), Fault::Isolated(rng.below(3), cut))];
    let scenario = Scenario {
        processes: 3,
        seeds: 3,
        slots: 2,
        copies: 3,
        plans: Vec::new(),
        faults,
        heals: BEGIN + Duration::from_secs(12),
        tombstone: Duration::from_secs(2),
        drains: false,
        variant,
        ..Scenario::of(seed)
    };
    let mut world = World::new(&scenario);
    while world.step(BEGIN) {}
    let stamps = Stamps::new(seed);
    let keys: Vec<SessionKey> = (0..SESSIONS).map(|_| SessionKey::from_bytes(rng.bytes())).collect();
    for key in &keys {
        let new = NewRecord::new(stamps.next(START), rng.bytes(), Verifier::from_bytes(rng.bytes()), START);
        let record = Record::create(new).into();
        ask(&mut world, Request::Create { key: *key, record, options: CreateOptions::default() });
    }
    let struck = BEGIN + Duration::from_millis(1_500);
    while world.step(struck) {}
    let reason = EndReason::LoggedOut;
    let ended: Vec<SessionKey> = (keys.iter().copied())
        .filter(|key| matches!(ask(&mut world, Request::End { key: *key, reason }), Some(Answer::Ended(_))))
        .collect();
    let later = scenario.heals + Duration::from_secs(12);
    while world.step(later) {}
    for key in ended.iter().cycle().take(3 * ended.len()) {
        if let Some(Answer::Session(Some(_))) = ask(&mut world, Request::Load { key: *key }) {
            let what = format!("{key:?} ended, and is alive at {:?}", world.now);
            return Some(Failure { check: "what ended stays so", what });
        }
    }
    None
}

/// Waits for the answer, `None` where there is none but an error.
fn ask(world: &mut World, request: Request) -> Option<Answer> {
    let ticket = world.hub.want(0, request);
    let until = world.now + Duration::from_secs(10);
    while world.step(until) {
        if let Some(answer) = world.hub.poll(ticket, Waker::noop()) {
            return answer.ok();
        }
    }
    None
}
