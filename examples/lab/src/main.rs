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
//! | `redis` | a Redis of a scenario's own |
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
mod servers;
mod stage;
mod tally;
mod wire;

use std::error::Error;
use std::process::ExitCode;

use clap::Parser as _;

use options::Options;
use report::Outcome;

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
        if scenario.needs_redis() && !redis::is_installed().await {
            eprintln!("{}: left out, redis-server is not installed", scenario.name);
            continue;
        }
        let tally =
            run::run(&scenario, crowd).await.map_err(|error| format!("{}: {error}", scenario.name))?;
        outcomes.push(Outcome { scenario, tally });
    }
    if outcomes.is_empty() {
        return Err("nothing was compared".into());
    }
    Ok(outcomes)
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
