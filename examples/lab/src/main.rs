//! The strategies compared: `cargo run -p lab`. `README.md` says how to read what it prints.
//!
//! | file | role |
//! |---|---|
//! | `main` | which of its two roles this process plays, and its end |
//! | `options` | the command line |
//! | `scenarios` | **the list of what is compared; another scenario is one entry there** |
//! | `claims` | what must hold in a scenario |
//! | `run` | one scenario, from its servers to its tally |
//! | `rig` | what a scenario runs on: servers, balancer, Redis where it is asked for |
//! | `servers`, `role` | a node as a process: seen from the lab, and from inside |
//! | `addresses` | free ports, and the templates of `ABIDE_STORE` |
//! | `redis`, `sentinel` | a Redis of a scenario's own, a Sentinel set |
//! | `faults` | what goes wrong in the middle of a run |
//! | `stage` | how far a run is, and which server was killed |
//! | `balancer` | round robin, or a client pinned to its server |
//! | `browser`, `wire` | a user's browser with its cookies; one HTTP exchange |
//! | `journey` | what a user does, and what it remembers of it |
//! | `tally`, `report` | what is counted, and how it is shown |

mod addresses;
mod balancer;
mod browser;
mod claims;
mod faults;
mod journey;
mod options;
mod redis;
mod report;
mod rig;
mod role;
mod run;
mod scenarios;
mod sentinel;
mod servers;
mod stage;
mod tally;
mod wire;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;

use options::Options;
use report::Outcome;
use scenarios::Scenario;

/// The lab could not do its work; 1 is for a claim that does not hold.
const BROKEN: u8 = 2;
const INTERRUPTED: u8 = 130;

#[tokio::main]
async fn main() -> ExitCode {
    if role::is_node() {
        return role::play().await;
    }
    let options = Options::parse();
    // Whichever branch ends first, the other is dropped, and with it every process that it started.
    tokio::select! {
        outcomes = compare(&options) => conclude(outcomes),
        () = role::interrupted() => ExitCode::from(INTERRUPTED),
    }
}

async fn compare(options: &Options) -> Result<Vec<Outcome>, Box<dyn Error>> {
    let scenarios = options.scenarios()?;
    let crowd = options.crowd();
    eprintln!("{} users in {} rounds, seed {}", crowd.users, crowd.rounds, crowd.seed);
    let mut outcomes = Vec::new();
    for scenario in scenarios {
        let redis = options.redis();
        if let Some(why) = left_out(&scenario, redis).await {
            eprintln!("{}: left out, {why}", scenario.name);
            continue;
        }
        let tally = run::run(&scenario, redis, crowd).await;
        let tally = tally.map_err(|error| format!("{}: {error}", scenario.name))?;
        outcomes.push(Outcome { scenario, tally });
    }
    if outcomes.is_empty() {
        return Err("nothing was compared".into());
    }
    Ok(outcomes)
}

/// Why a scenario cannot be played here.
async fn left_out(scenario: &Scenario, redis: Option<&str>) -> Option<String> {
    match redis {
        _ if !scenario.needs_redis() => None,
        Some(_) if scenario.owns_redis() => Some("the Redis of `--redis` is not the lab's to kill".into()),
        Some(_) => None,
        None if redis::is_installed().await => None,
        None => Some(format!("for redis-server is not installed: {}", redis::HOW_TO_INSTALL)),
    }
}

fn conclude(outcomes: Result<Vec<Outcome>, Box<dyn Error>>) -> ExitCode {
    match outcomes {
        Ok(outcomes) => {
            println!("{}\n", report::table(&outcomes));
            println!("{}", report::verdicts(&outcomes));
            ExitCode::from(report::status(&outcomes))
        }
        Err(error) => {
            eprintln!("lab: {error}");
            ExitCode::from(BROKEN)
        }
    }
}
