//! The bodies of the fuzz targets as an ordinary test: on every input worth starting from, and on some thousands of
//! random and mutated ones. `ABIDE_INPUTS` says how many, `ABIDE_SEED` which.
//!
//! | file | role |
//! |---|---|
//! | `main` | one test a target |
//! | `mutate` | an input made of others |

mod mutate;

use std::panic::{self, AssertUnwindSafe};
use std::path::Path;
use std::{env, fs};

use abide_fuzzing::{TARGETS, Target};
use abide_harness::seed;
use fastrand::Rng;

/// How many inputs are made unless `ABIDE_INPUTS` says otherwise.
const INPUTS: usize = 2_000;

#[test]
fn cookie_headers_are_found_as_a_simple_splitter_finds_them() {
    holds_for("cookie_header");
}

#[test]
fn records_are_read_within_bounds_and_are_what_their_bytes_say() {
    holds_for("record");
}

#[test]
fn what_redis_holds_is_read_as_it_was_sealed_or_refused() {
    holds_for("envelope");
}

#[test]
fn damaged_snapshots_are_refused() {
    holds_for("snapshot");
}

#[test]
fn what_a_peer_sends_is_read_within_bounds_however_it_is_cut() {
    holds_for("frames");
}

#[test]
fn configurations_are_read_or_refused_without_showing_a_password() {
    holds_for("configuration");
}

#[test]
fn messages_of_the_cluster_are_read_within_bounds_and_no_node_panics_at_one() {
    holds_for("message");
}

fn holds_for(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target of that name");
    let pool = [(target.seeds)(), found(name)].concat();
    pool.iter().for_each(|input| holds(target, input));
    let mut random = Rng::with_seed(seed());
    for _ in 0..env::var("ABIDE_INPUTS").map_or(INPUTS, |count| count.parse().expect("a number")) {
        holds(target, &mutate::any(&mut random, &pool));
    }
}

/// Inputs that once broke a claim: `fuzz/found/<target>/`.
fn found(name: &str) -> Vec<Vec<u8>> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/found").join(name);
    let Ok(files) = fs::read_dir(directory) else { return Vec::new() };
    files.map(|file| fs::read(file.expect("a file").path()).expect("its bytes")).collect()
}

fn holds(target: &Target, input: &[u8]) {
    if let Err(panic) = panic::catch_unwind(AssertUnwindSafe(|| (target.body)(input))) {
        println!("{} on b\"{}\"", target.name, input.escape_ascii());
        panic::resume_unwind(panic);
    }
}
