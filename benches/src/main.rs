//! Compares abide with the floor and with its peers, in one run, on one machine.
//!
//! Ratios are the point: absolute numbers belong to a machine and an hour, a ratio to the floor of the same round does
//! not. See the README for what each row means.
//!
//! | module | what it does |
//! |---|---|
//! | [`options`] | the command line |
//! | [`kinds`] | what is compared: one file for each |
//! | [`routes`], [`values`] | what every kind has to do |
//! | [`client`] | requests, cookies, and the check that a kind does its work |
//! | [`speed`] | requests per second, in interleaved rounds |
//! | [`allocations`], [`memory`] | what [`allocator`] counts per request and per session |
//! | [`scale`] | the same with fewer and more sessions, on one core and on all |
//! | [`redis`] | sessions in Redis: requests, and operations beside the raw commands |
//! | [`cluster`] | sessions on the servers themselves: latency, throughput beside Redis, memory and bytes |
//! | [`operations`] | operations of a store, without requests |
//! | [`contention`] | many requests for one session at the same time |
//! | [`instructions`] | instructions of a request, counted by valgrind |
//! | [`hash`] | candidates for the hash of a verifier |
//! | [`report`], [`machine`] | what is printed |

mod allocations;
mod allocator;
mod client;
mod cluster;
mod contention;
mod hash;
mod instructions;
mod kinds;
mod machine;
mod memory;
mod operations;
mod options;
mod redis;
mod report;
mod routes;
mod scale;
mod speed;
mod values;

use clap::Parser as _;
use options::{Command, Options};

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    println!("{}", machine::facts());
    match options.command {
        None => compare(&options.speed),
        Some(Command::Memory(options)) => {
            println!("{options}\n\n{}", report::memory(&memory::measure(&options)?));
            Ok(())
        }
        Some(Command::Hash(options)) => {
            println!("{options}\n\n{}", report::hash(&hash::measure(&options)));
            Ok(())
        }
        Some(Command::Scale(options)) => scale::compare(&options),
        Some(Command::Contention(options)) => {
            println!("{options}\n\n{}", report::contention(&contention::measure(&options)?));
            Ok(())
        }
        Some(Command::Redis(options)) => redis::compare(&options),
        Some(Command::Cluster(options)) => cluster::compare(&options),
        Some(Command::ClusterServer(options)) => cluster::server::run(&options),
        Some(Command::Instructions(options)) => {
            println!("{options}\n\n{}", report::INSTRUCTIONS_HEAD);
            for path in routes::Path::ALL {
                print!("{}", report::instructions(path, &instructions::measure(&options, path)?));
            }
            Ok(())
        }
        Some(Command::Serve(options)) => instructions::serve(&options),
    }
}

/// Speed and allocations of the chosen kinds, printed path by path as soon as each is known.
fn compare(options: &options::Speed) -> anyhow::Result<()> {
    let bench = speed::Bench::open(options, None)?;
    println!("{options}\n\n{}", report::SPEED_HEAD);
    for path in routes::Path::ALL {
        let counts = allocations::measure(bench.kinds(), path)?;
        print!("{}", report::speed(path, &bench.measure(path), &counts));
    }
    Ok(())
}
