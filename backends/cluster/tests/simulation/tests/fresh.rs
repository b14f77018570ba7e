//! Many fresh seeds on every run. `ABIDE_SEED` and `ABIDE_SEEDS` repeat one, or run more.

use std::hash::{BuildHasher, RandomState};

use abide_simulation::{Coverage, Scenario, run};

fn setting(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_fails_every_session_is_one_session_and_the_cluster_comes_to_rest() {
    let fresh = || RandomState::new().hash_one(()) >> 16;
    let (from, count) = (setting("ABIDE_SEED").unwrap_or_else(fresh), setting("ABIDE_SEEDS").unwrap_or(300));
    println!("{count} seeds from {from}");
    let mut coverage = Coverage::default();
    for n in 0..count {
        let seed = from.wrapping_add(n);
        let outcome = run(&Scenario::of(seed), false);
        coverage.add(&outcome.coverage);
        if let Some(failure) = outcome.failure.filter(|failure| !failure.is_undecided()) {
            panic!("ABIDE_SEED={seed} ABIDE_SEEDS=1 fails: {failure}");
        }
    }
    println!("{coverage}");
    let (operations, faults) = coverage.fewest.unwrap_or_default();
    assert!(operations >= 200 && faults >= 5, "a seed did only {operations} operations in {faults} faults");
}

#[test]
fn a_seed_replays_to_the_letter() {
    let told = |seed| run(&Scenario::of(seed), false).coverage.to_string();
    for seed in 1..4 {
        assert_eq!(told(seed), told(seed), "seed {seed}");
    }
}
