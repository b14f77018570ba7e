//! One scenario, from its servers to its tally.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::browser::Browser;
use crate::journey::Journey;
use crate::rig::Rig;
use crate::scenarios::Scenario;
use crate::stage::Stage;
use crate::tally::Tally;
use crate::wire::{self, Client};

const AT_MOST: Duration = Duration::from_secs(60);

/// Who comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Crowd {
    pub(crate) users: usize,
    pub(crate) rounds: usize,
    pub(crate) seed: u64,
}

pub(crate) async fn run(scenario: &Scenario, redis: Option<&str>, crowd: Crowd) -> io::Result<Tally> {
    let client = wire::client();
    let mut rig = Rig::start(scenario, redis, client.clone()).await?;
    let stage = Arc::new(Stage::new(scenario.is_in_process()));
    eprintln!("{}: servers are up", scenario.name);
    let began = Instant::now();
    let users = timeout(AT_MOST, play(crowd, rig.door(), &client, &stage));
    let mut tally = tokio::select! {
        tally = users => tally??,
        error = conduct(scenario, crowd, &mut rig, &stage) => return Err(error),
    };
    tally.took = began.elapsed();
    tally.memory = rig.memory().await;
    eprintln!("{}: done", scenario.name);
    Ok(tally)
}

/// All users at once. A journey that panics ends the run, with its panic as the error.
async fn play(crowd: Crowd, door: SocketAddr, client: &Client, stage: &Arc<Stage>) -> io::Result<Tally> {
    let mut dice = Rng::with_seed(crowd.seed);
    let mut journeys = JoinSet::new();
    for index in 0..crowd.users {
        let browser = Browser::new(door, client.clone());
        let journey = Journey::new(format!("user-{index}"), browser, stage.clone(), dice.fork());
        journeys.spawn(journey.play(crowd.rounds, index % 2 == 0));
    }
    let mut tally = Tally::default();
    while let Some(journey) = journeys.join_next().await {
        tally.add(journey?);
    }
    Ok(tally)
}

/// Tells how far the run is, and lets the fault strike in the middle. Ends only with an error: the run ends with its
/// users.
async fn conduct(scenario: &Scenario, crowd: Crowd, rig: &mut Rig, stage: &Stage) -> io::Error {
    for quarter in 1..=4 {
        stage.reached(crowd.users * crowd.rounds * quarter / 4).await;
        eprintln!("{}: {} %", scenario.name, quarter * 25);
        if quarter == 2 {
            match scenario.fault.strike(rig, stage).await {
                Ok(done) => eprintln!("{}: {done}", scenario.name),
                Err(error) => return error,
            }
        }
    }
    std::future::pending().await
}
