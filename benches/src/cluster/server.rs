//! A server of a cluster in a process of its own: this program again, which does what it is told on its standard input.

use std::collections::BTreeMap;
use std::sync::Arc;

use abide_cluster::store::ClusterStore;
use abide_core::SessionStore;
use anyhow::Context as _;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt as _, BufReader};

use super::{bare, rig};
use crate::operations::Operations;
use crate::options::ClusterServer;

/// How many operations of a server are under way at a time: as many servers as there are do this beside each other.
const AT_ONCE: usize = 4;

/// What a server is told: a line of JSON each.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) enum Order {
    /// To wait until it sees so many members.
    Come { servers: usize },
    /// To store so many sessions, each of a user of its own or of none.
    Create { sessions: u32, users: bool },
    /// To load so many of those that it stored last.
    Load { times: u32 },
    /// To write so many of these.
    Set { times: u32 },
    /// To tell what it counts.
    Look,
}

/// What it answers: a line of JSON each.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) enum Reply {
    /// It listens.
    Up(bare::Place),
    /// What it was told to do is done.
    Done,
    /// What it counts.
    Seen(Seen),
}

/// What a server counts.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct Seen {
    /// Bytes of its process that are in memory.
    pub(crate) resident: u64,
    /// The store's own figures, as of the last second.
    pub(crate) metrics: BTreeMap<String, u64>,
}

impl Seen {
    /// What a store and its process count now.
    pub(crate) fn of(store: &dyn SessionStore) -> Self {
        let metrics = store.metrics().into_iter().map(|metric| (metric.name().to_owned(), metric.value()));
        Self { resident: resident().unwrap_or_default(), metrics: metrics.collect() }
    }

    /// One of the store's figures.
    pub(crate) fn metric(&self, name: &str) -> f64 {
        *self.metrics.get(name).expect("the store has this figure") as f64
    }
}

/// Runs a server until its standard input ends.
pub(crate) fn run(options: &ClusterServer) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(obey(options))
}

async fn obey(options: &ClusterServer) -> anyhow::Result<()> {
    let store = rig::open(options.address, &options.join, &options.secret).await?;
    say(&Reply::Up(bare::serve().await?))?;
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut sessions = Arc::new(Operations::on(0)?);
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Order::Come { servers } => rig::until_whole(&store, servers).await?,
            Order::Create { sessions: count, users } => {
                sessions = Arc::new(Operations::on(count)?);
                let what = if users { Operation::CreateOfUser } else { Operation::Create };
                at_once(&store, &sessions, what, count).await?;
            }
            Order::Load { times } => at_once(&store, &sessions, Operation::Load, times).await?,
            Order::Set { times } => at_once(&store, &sessions, Operation::Set, times).await?,
            Order::Look => {
                say(&Reply::Seen(Seen::of(&store)))?;
                continue;
            }
        }
        say(&Reply::Done)?;
    }
    Ok(())
}

fn say(reply: &Reply) -> anyhow::Result<()> {
    println!("{}", serde_json::to_string(reply)?);
    Ok(())
}

#[derive(Clone, Copy)]
enum Operation {
    Create,
    CreateOfUser,
    Load,
    Set,
}

/// Carries an operation out on the first so many sessions.
async fn at_once(
    store: &ClusterStore,
    sessions: &Arc<Operations>,
    what: Operation,
    times: u32,
) -> anyhow::Result<()> {
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|first| {
            let (store, sessions) = (store.clone(), sessions.clone());
            tokio::spawn(async move {
                for at in (first..times as usize).step_by(AT_ONCE) {
                    match what {
                        Operation::Create => sessions.create(&store, at).await,
                        Operation::CreateOfUser => sessions.create_of_user(&store, at).await,
                        Operation::Load => sessions.load(&store, at).await,
                        Operation::Set => sessions.set(&store, at).await,
                    }
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.context("a task failed")?;
    }
    Ok(())
}

/// The bytes of this process that are in memory.
fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}
