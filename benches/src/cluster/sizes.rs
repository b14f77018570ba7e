//! What a session takes in each server, and how many bytes an operation sends.

use std::time::Duration;

use super::process::{self, Process};
use super::rig::Rig;
use super::server::{Order, Seen};
use crate::options::Cluster;

/// Copies of each session.
pub(crate) const COPIES: u32 = 3;
/// Sessions of each server before anything is weighed: what a process takes once is taken by then.
const WARM_UP: u32 = 1_000;
/// Operations of each server by which their bytes are counted.
const TIMES: u32 = 1_000;
/// Nobody asks for anything for so long.
const IDLE: Duration = Duration::from_secs(4);
/// A store counts what it holds a part at a time: all of it takes a second, and the one before may be under way.
const COUNTED: Duration = Duration::from_millis(2_500);

/// What was found with some number of servers.
pub(crate) struct Sizes {
    /// How many servers.
    pub(crate) servers: usize,
    /// How many sessions were added, without a user and with one.
    pub(crate) sessions: u32,
    /// What was added for those without a user.
    pub(crate) plain: Added,
    /// What was added for those of users.
    pub(crate) of_users: Added,
    /// Bytes that all servers sent for a read.
    pub(crate) read: f64,
    /// Bytes that all servers sent for a write.
    pub(crate) write: f64,
    /// Bytes that one server sends in a second in which nobody asks for anything.
    pub(crate) idle: f64,
}

/// What all servers together took more.
pub(crate) struct Added {
    /// Bytes of processes that are in memory.
    pub(crate) resident: f64,
    /// The stores' own figure.
    pub(crate) held: f64,
}

/// Measures with so many servers.
pub(crate) async fn measure(servers: usize, options: &Cluster) -> anyhow::Result<Sizes> {
    let rig = Rig::of(servers)?;
    let mut processes = process::start(&rig, rig.addresses()).await?;
    process::order_all(&mut processes, Order::Come { servers }).await?;
    process::order_all(&mut processes, Order::Create { sessions: WARM_UP, users: true }).await?;
    let each = options.sessions.div_ceil(servers as u32);
    let plain = added(&mut processes, Order::Create { sessions: each, users: false }).await?;
    let operations = f64::from(TIMES) * servers as f64;
    let read = sent_for(&mut processes, Order::Load { times: TIMES }).await? / operations;
    let write = sent_for(&mut processes, Order::Set { times: TIMES }).await? / operations;
    let idle = idle(&mut processes).await? / servers as f64;
    let of_users = added(&mut processes, Order::Create { sessions: each, users: true }).await?;
    Ok(Sizes { servers, sessions: each * servers as u32, plain, of_users, read, write, idle })
}

async fn added(processes: &mut [Process], order: Order) -> anyhow::Result<Added> {
    let (before, after) = around(processes, order).await?;
    let held = |seen: &[Seen]| sum(seen, |seen| seen.metric("held_bytes"));
    let resident = |seen: &[Seen]| sum(seen, |seen| seen.resident as f64);
    Ok(Added { resident: resident(&after) - resident(&before), held: held(&after) - held(&before) })
}

async fn sent_for(processes: &mut [Process], order: Order) -> anyhow::Result<f64> {
    let (before, after) = around(processes, order).await?;
    Ok(sent(&after) - sent(&before))
}

async fn around(processes: &mut [Process], order: Order) -> anyhow::Result<(Vec<Seen>, Vec<Seen>)> {
    let before = counted(processes).await?;
    process::order_all(processes, order).await?;
    Ok((before, counted(processes).await?))
}

async fn counted(processes: &mut [Process]) -> anyhow::Result<Vec<Seen>> {
    tokio::time::sleep(COUNTED).await;
    process::look_at_all(processes).await
}

async fn idle(processes: &mut [Process]) -> anyhow::Result<f64> {
    let before = sent(&counted(processes).await?);
    tokio::time::sleep(IDLE).await;
    // One second's figures are as old as those of the first look.
    Ok((sent(&process::look_at_all(processes).await?) - before) / IDLE.as_secs_f64())
}

fn sent(seen: &[Seen]) -> f64 {
    sum(seen, |seen| seen.metric("sent_bytes"))
}

fn sum(seen: &[Seen], of: impl Fn(&Seen) -> f64) -> f64 {
    seen.iter().map(of).sum()
}
