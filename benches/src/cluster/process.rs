//! The processes of the servers, as the one that measures sees them.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{bail, Context as _};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

use super::bare::Place;
use super::rig::Rig;
use super::server::{Order, Reply, Seen};

/// A server's process. Dropping it kills it.
pub(crate) struct Process {
    _child: Child,
    orders: ChildStdin,
    replies: Lines<BufReader<ChildStdout>>,
    /// Where it answers bare requests.
    pub(crate) bare: Place,
}

impl Process {
    /// Starts a server at one of the addresses.
    pub(crate) async fn start(rig: &Rig, address: SocketAddr) -> anyhow::Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["cluster-server", "--address", &address.to_string(), "--join", &rig.join(), "--secret"])
            .arg(rig.secret())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let orders = child.stdin.take().context("it has a standard input")?;
        let replies = BufReader::new(child.stdout.take().context("it has a standard output")?);
        let mut replies = replies.lines();
        // The first line names the machine, as that of every run.
        replies.next_line().await?;
        match reply(&mut replies).await? {
            Reply::Up(bare) => Ok(Self { _child: child, orders, replies, bare }),
            other => bail!("a server said {other:?} before it listened"),
        }
    }

    /// Tells it what to do.
    async fn tell(&mut self, order: Order) -> anyhow::Result<()> {
        let line = serde_json::to_string(&order)? + "\n";
        Ok(self.orders.write_all(line.as_bytes()).await?)
    }

    async fn done(&mut self) -> anyhow::Result<()> {
        match reply(&mut self.replies).await? {
            Reply::Done => Ok(()),
            other => bail!("a server said {other:?} instead of being done"),
        }
    }

    async fn look(&mut self) -> anyhow::Result<Seen> {
        self.tell(Order::Look).await?;
        match reply(&mut self.replies).await? {
            Reply::Seen(seen) => Ok(seen),
            other => bail!("a server said {other:?} instead of what it counts"),
        }
    }
}

async fn reply(replies: &mut Lines<BufReader<ChildStdout>>) -> anyhow::Result<Reply> {
    let line = replies.next_line().await?.context("a server ended")?;
    serde_json::from_str(&line).with_context(|| format!("a server said {line:?}"))
}

/// Starts servers at these addresses.
pub(crate) async fn start(rig: &Rig, addresses: &[SocketAddr]) -> anyhow::Result<Vec<Process>> {
    let mut processes = Vec::new();
    for address in addresses {
        processes.push(Process::start(rig, *address).await?);
    }
    Ok(processes)
}

/// Has all of them do something at the same time, and waits until that is done.
pub(crate) async fn order_all(processes: &mut [Process], order: Order) -> anyhow::Result<()> {
    for process in &mut *processes {
        process.tell(order).await?;
    }
    for process in processes {
        process.done().await?;
    }
    Ok(())
}

/// What all of them count, each for itself.
pub(crate) async fn look_at_all(processes: &mut [Process]) -> anyhow::Result<Vec<Seen>> {
    let mut seen = Vec::new();
    for process in processes {
        seen.push(process.look().await?);
    }
    Ok(seen)
}
