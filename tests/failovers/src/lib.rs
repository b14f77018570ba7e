//! What a failover of Redis costs, measured through the real store on real servers.
//!
//! `cargo run --release -p abide-failovers` prints the table; `tests/` asserts of a few rows what no machine's speed changes.
//!
//! | file | role |
//! |---|---|
//! | `scenario` | what is done to whom, and how much a write waits for |
//! | `rig` | the servers of a scenario, and the fault |
//! | `load` | visitors who log in, write and log out until they are told to stop |
//! | `outcome` | what they met, and what is left of it |

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]

mod load;
mod outcome;
mod rig;
mod scenario;

pub use outcome::Outcome;
pub use scenario::{Fault, Scenario, Setup};

use std::time::Duration;

use abide_redis::{Address, RedisStore};
use tokio::time::{Instant, sleep};

use crate::load::Load;
use crate::outcome::Times;
use crate::rig::Rig;

/// How long visitors come before the fault, and after everything is well again.
const BEFORE: Duration = Duration::from_secs(2);
const AFTERWARDS: Duration = Duration::from_secs(3);
/// How long a store may take to write its tombstones again after the last change.
const TOMBSTONES: Duration = Duration::from_secs(3);

/// Runs one scenario on servers of its own.
///
/// # Panics
///
/// Where the servers do not come up, or do not recover within a minute.
pub async fn run(scenario: Scenario) -> Outcome {
    let mut rig = Rig::start(scenario.setup).await;
    let store = open(&rig, scenario.replicas);
    let load = Load::start(&store, rig.masters().await);
    sleep(BEFORE).await;
    rig.strike(scenario.fault).await;
    let fault = Instant::now();
    let replaced = rig.replaced().await;
    rig.settled().await;
    sleep(AFTERWARDS).await;
    let back = rig.mend().await;
    sleep(AFTERWARDS).await;
    let seen = load.end().await;
    sleep(TOMBSTONES).await;
    // Another process, which remembers nothing. The first one lives on until all is counted.
    let other = open(&rig, 0);
    let outcome = seen.verify(scenario, Times { fault, replaced, back }, &other).await;
    drop(store);
    outcome
}

fn open(rig: &Rig, replicas: u8) -> RedisStore {
    let url = rig.url();
    let (scheme, rest) = url.split_once(':').unwrap();
    RedisStore::builder(Address::parse(scheme, rest).unwrap()).replicas(replicas).open().unwrap()
}
