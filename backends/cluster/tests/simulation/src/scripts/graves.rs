//! Ends that one owner misses, and tombstones that are soon forgotten: what ended must stay so.

use std::time::Duration;

use abide_cluster::protocol::Variant;
use abide_core::SessionKey;

use crate::director::Director;
use crate::event::What;
use crate::fault::Fault;
use crate::run::Outcome;

const SESSIONS: usize = 6;
const IDLE: Duration = Duration::from_secs(1_000);
const REPLACED_EVERY: Duration = Duration::from_secs(7);
/// No process lives for so long.
const REMEMBERED: Duration = Duration::from_secs(25);

/// Ends sessions while one process is out of reach, and looks for them when it is back.
pub(super) fn ends_missed(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director = Director::new(seed, variant, |scenario| {
        (scenario.slots, scenario.tombstone) = (2, Duration::from_secs(2));
    });
    let keys: Vec<SessionKey> = (0..SESSIONS).filter_map(|_| director.create(0, IDLE)).collect();
    let away = director.rng.below(3);
    let cut = Duration::from_millis(5_000 + director.rng.next_u64() % 3_500);
    director.strike(Fault::Isolated(away, cut));
    director.pass_ms(500);
    let ended: Vec<SessionKey> = keys.into_iter().filter(|key| director.end((away + 1) % 3, *key)).collect();
    director.pass(Duration::from_secs(22));
    let alive = (0..3 * ended.len()).find_map(|n| {
        let key = ended[n % ended.len()];
        let found = director.load(n % 3, key).ok().flatten();
        found.map(|_| format!("{key:?} ended, and is alive at {:?}", director.world.now))
    });
    director.judged("what ended stays so", alive.map_or(Ok(()), Err))
}

/// Ends sessions, and then replaces one process after the other: what is over is forgotten though nobody was there all the time.
pub(super) fn forgotten_by_successors(seed: u64, variant: Option<Variant>) -> Outcome {
    let mut director =
        Director::new(seed, variant, |scenario| (scenario.slots, scenario.tombstone) = (2, REMEMBERED));
    let keys: Vec<SessionKey> = (0..SESSIONS).filter_map(|_| director.create(0, IDLE)).collect();
    let ended = keys.into_iter().filter(|key| director.end(1, *key)).count();
    let early = left(&director);
    for at in (0..8).map(|n| n % 3) {
        director.world.kill(at);
        director.world.after(Duration::from_millis(500), What::Begin(at));
        director.pass(REPLACED_EVERY);
    }
    let what = match (early, left(&director)) {
        (early, _) if early < ended => Err(format!("{early} of {ended} ends were remembered")),
        (_, 0) => Ok(()),
        (_, left) => Err(format!("{left} copies of {ended} ends are left")),
    };
    director.judged("ends are forgotten", what)
}

/// How many ends all processes remember, each for itself.
fn left(director: &Director) -> usize {
    let nodes = (0..3).filter_map(|at| director.node(at));
    nodes.map(|node| node.holdings(0..2).tombstones).sum()
}
