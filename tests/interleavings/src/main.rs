//! Runs many seeds of the interleavings, and counts what really happened in them.
//!
//! `interleavings [--driver store|layer] [--store URL] [--seeds COUNT] [--from SEED] [--seconds LIMIT] [--failures MOST]`
//!
//! Without `--store` the store is that of the process; with it, the Redis of the URL: a server, a Sentinel set or a Cluster.
//! It stops at the first seed that fails, or at as many as `--failures` says: to see several before one is mended.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use abide_conformance::interleavings::{Driver, Violation};
use abide_interleavings::{Layers, Progress, many, memory, redis};

const USAGE: &str = "usage: interleavings [--driver store|layer] [--store URL] [--seeds COUNT] [--from SEED] \
                     [--seconds LIMIT] [--failures MOST]";
/// From how many seeds on something that never happened is a failure.
const LARGE: u64 = 20_000;

struct Options {
    layer: bool,
    store: Option<String>,
    seeds: u64,
    from: u64,
    seconds: Option<u64>,
    failures: u64,
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let from = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
        let mut options =
            Self { layer: false, store: None, seeds: 1_000_000, from, seconds: None, failures: 1 };
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value\n{USAGE}"))?;
            let number = || value.parse().map_err(|_| format!("{name} is {value:?}, expected a number"));
            match name.as_str() {
                "--driver" if value == "store" || value == "layer" => options.layer = value == "layer",
                "--store" => options.store = Some(value),
                "--seeds" => options.seeds = number()?,
                "--from" => options.from = number()?,
                "--failures" => options.failures = number()?,
                "--seconds" => options.seconds = Some(number()?),
                _ => return Err(format!("{name} {value} is not known\n{USAGE}")),
            }
        }
        Ok(options)
    }
}

fn run(driver: &dyn Driver, options: &Options) -> Result<(), String> {
    let kind = if options.layer { "layer" } else { "store" };
    println!("driver {kind}, {} seeds from {}", options.seeds, options.from);
    let within = options.seconds.map(Duration::from_secs);
    let failures = AtomicU64::new(0);
    let tell = |progress: Progress| {
        let (done, after) = (progress.done, progress.after.as_secs_f64());
        println!("{done} seeds in {after:.0} s, {:.0} a second", progress.rate());
    };
    let found = |violation: &Violation| {
        eprintln!("{violation}");
        failures.fetch_add(1, Relaxed) + 1 < options.failures
    };
    let tally = many(driver, options.from, options.seeds, within, tell, found);
    println!("{tally}");
    match failures.into_inner() {
        0 => {}
        failures => return Err(format!("{failures} seeds fail")),
    }
    let missing = tally.missing(driver.abilities());
    if tally.seeds() >= LARGE && !missing.is_empty() {
        return Err(format!("these never happened, so they were not tested: {missing:?}"));
    }
    println!("every history is that of one session");
    Ok(())
}

fn main() -> ExitCode {
    let outcome = Options::parse(std::env::args().skip(1)).and_then(|options| match &options.store {
        _ if options.layer => run(&Layers, &options),
        Some(url) => run(&redis(url)?, &options),
        None => run(&memory(), &options),
    });
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
