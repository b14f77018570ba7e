//! Runs many seeds of the simulation, and counts what really happened in them.
//!
//! `abide-simulation [--seeds COUNT] [--from SEED] [--variant NAME] [--trace]`

use std::process::ExitCode;
use std::time::Instant;

use abide_cluster::protocol::Variant;
use abide_simulation::{Coverage, Scenario, run, shrink};

const USAGE: &str =
    "usage: abide-simulation [--seeds COUNT] [--from SEED] [--variant NAME] [--trace] [--shrink]";

struct Options {
    seeds: u64,
    from: u64,
    variant: Option<Variant>,
    trace: bool,
    shrink: bool,
}

fn variant(name: &str) -> Option<Variant> {
    Variant::ALL.into_iter().find(|variant| format!("{variant:?}") == name)
}

impl Options {
    fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let from = std::hash::BuildHasher::hash_one(&std::hash::RandomState::new(), ());
        let mut options = Self { seeds: 1_000, from, variant: None, trace: false, shrink: false };
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

fn simulate(options: &Options) -> Result<(), String> {
    if options.trace {
        println!("{:#?}", Scenario::of(options.from).copies);
    }
    println!("{} seeds from {}, variant {:?}", options.seeds, options.from, options.variant);
    let began = Instant::now();
    let mut coverage = Coverage::default();
    for n in 0..options.seeds {
        let seed = options.from.wrapping_add(n);
        let mut scenario = Scenario::of(seed);
        scenario.variant = options.variant;
        let outcome = run(&scenario, options.trace);
        coverage.add(&outcome.coverage);
        if let Some(failure) = outcome.failure {
            println!("{coverage}");
            if options.shrink {
                let smallest = shrink(&scenario);
                let again = run(&smallest, false).failure;
                println!("smallest: {smallest:#?}");
                if let Some(again) = again {
                    println!("{again}");
                }
            }
            return Err(format!("seed {seed} (number {n}) fails: {failure}"));
        }
        if (n + 1) % 1_000 == 0 {
            let rate = (n + 1) as f64 / began.elapsed().as_secs_f64() * 60.0;
            println!("{} seeds, {rate:.0} a minute", n + 1);
        }
    }
    println!("{coverage}");
    println!("{} seeds in {:.1} s, none fails", options.seeds, began.elapsed().as_secs_f64());
    Ok(())
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
