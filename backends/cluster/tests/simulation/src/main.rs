//! Runs many seeds of the simulation, and counts what really happened in them.
//!
//! `abide-simulation [--seeds COUNT] [--from SEED] [--scripts COUNT] [--variant NAME] [--trace] [--shrink]`
//!
//! Every core takes seeds; a failing one prints itself, and `--shrink` makes the first of them smaller. The scripts run first, each with so many seeds (20 where nothing is said, none with `--trace` or `--variant`). A run of
//! [`LONG`] seeds or more fails too where a fault never struck, a step of the protocol was never reached, or a race never
//! happened.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Instant;

use abide_cluster::protocol::Variant;
use abide_simulation::{Coverage, Failure, SCRIPTS, Scenario, run, shrink};

const USAGE: &str = "usage: abide-simulation [--seeds COUNT] [--from SEED] [--scripts COUNT] [--variant NAME] [--trace] [--shrink]";

/// From how many seeds on everything must have happened.
const LONG: u64 = 1_000;
/// Of so many seeds one may have a history that is too long to be decided.
const DECIDED: u64 = 10_000;
/// After how many failing seeds a run ends.
const FAILURES: usize = 20;

struct Options {
    seeds: u64,
    from: u64,
    scripts: Option<u64>,
    variant: Option<Variant>,
    trace: bool,
    shrink: bool,
}

fn variant(name: &str) -> Option<Variant> {
    Variant::ALL.into_iter().find(|variant| format!("{variant:?}") == name)
}

impl Options {
    fn scenario(&self, seed: u64) -> Scenario {
        Scenario { variant: self.variant, ..Scenario::of(seed) }
    }

    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let from = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
        let mut options =
            Self { seeds: 1_000, from, scripts: None, variant: None, trace: false, shrink: false };
        while let Some(name) = arguments.next() {
            match name.as_str() {
                "--trace" => options.trace = true,
                "--shrink" => options.shrink = true,
                _ => {
                    let value = arguments.next().ok_or_else(|| format!("{name} needs a value\n{USAGE}"))?;
                    let number =
                        || value.parse().map_err(|_| format!("{name} is {value:?}, expected a number"));
                    match name.as_str() {
                        "--seeds" => options.seeds = number()?,
                        "--from" => options.from = number()?,
                        "--scripts" => options.scripts = Some(number()?),
                        "--variant" => {
                            options.variant = Some(variant(&value).ok_or_else(|| {
                                format!("no variant {value:?}, there are {:?}", Variant::ALL)
                            })?);
                        }
                        _ => return Err(format!("{name} is not known\n{USAGE}")),
                    }
                }
            }
        }
        Ok(options)
    }
}

/// Each script with so many seeds.
fn carry_out_scripts(options: &Options, coverage: &mut Coverage) -> Result<(), String> {
    let is_plain = !options.trace && options.variant.is_none();
    let count = options.scripts.unwrap_or(if is_plain { 20 } else { 0 });
    for script in &SCRIPTS {
        for seed in (0..count).map(|n| options.from.wrapping_add(n)) {
            let outcome = (script.run)(seed, options.variant);
            coverage.add(&outcome.coverage);
            if let Some(failure) = outcome.failure {
                return Err(format!("script \"{}\", seed {seed}, fails: {failure}", script.name));
            }
        }
    }
    Ok(())
}

/// What all workers found so far.
#[derive(Default)]
struct Found {
    coverage: Coverage,
    failed: Vec<(u64, Failure)>,
    done: u64,
    undecided: u64,
}

/// Takes seeds until there are none, or too many fail.
fn work(options: &Options, next: &AtomicU64, found: &Mutex<Found>, began: Instant) {
    loop {
        let n = next.fetch_add(1, SeqCst);
        if n >= options.seeds || lock(found).failed.len() >= FAILURES {
            return;
        }
        let seed = options.from.wrapping_add(n);
        let outcome = run(&options.scenario(seed), options.trace);
        let mut found = lock(found);
        found.coverage.add(&outcome.coverage);
        found.done += 1;
        match outcome.failure {
            Some(failure) if failure.is_undecided() => {
                println!("seed {seed} has a history that is too long to be decided");
                found.undecided += 1;
            }
            Some(failure) => {
                println!("seed {seed} fails: {}", failure.check);
                found.failed.push((seed, failure));
            }
            None => {}
        }
        if found.done % 1_000 == 0 {
            let rate = found.done as f64 / began.elapsed().as_secs_f64() * 60.0;
            println!("{} seeds, {rate:.0} a minute", found.done);
        }
    }
}

fn lock(found: &Mutex<Found>) -> MutexGuard<'_, Found> {
    found.lock().unwrap_or_else(PoisonError::into_inner)
}

fn simulate(options: &Options) -> Result<(), String> {
    println!("{} seeds from {}, variant {:?}", options.seeds, options.from, options.variant);
    let began = Instant::now();
    let mut found = Found::default();
    carry_out_scripts(options, &mut found.coverage)?;
    let (next, found) = (AtomicU64::new(0), Mutex::new(found));
    let workers = if options.trace { 1 } else { available_parallelism().map_or(1, usize::from) };
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| work(options, &next, &found, began));
        }
    });
    let Found { coverage, mut failed, undecided, .. } =
        found.into_inner().unwrap_or_else(PoisonError::into_inner);
    println!("{coverage}");
    failed.sort_unstable_by_key(|(seed, _)| *seed);
    if let Some((seed, failure)) = failed.first() {
        if options.shrink {
            print_smallest(&options.scenario(*seed));
        }
        return Err(format!("{} seeds fail; seed {seed}: {failure}", failed.len()));
    }
    let missing = coverage.missing();
    if options.seeds >= LONG && options.variant.is_none() && !missing.is_empty() {
        return Err(format!("never reached: {missing:#?}"));
    }
    if undecided > options.seeds.div_ceil(DECIDED) {
        return Err(format!("{undecided} of {} seeds are undecided", options.seeds));
    }
    let took = began.elapsed().as_secs_f64();
    println!("{} seeds in {took:.1} s, none fails, {undecided} undecided", options.seeds);
    Ok(())
}

fn print_smallest(scenario: &Scenario) {
    let smallest = shrink(scenario);
    println!("smallest that fails in the same check: {smallest:#?}");
    if let Some(failure) = run(&smallest, false).failure {
        println!("{failure}");
    }
}

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| simulate(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}
