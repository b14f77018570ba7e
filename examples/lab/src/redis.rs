//! The Redis of a scenario: the one whose URL was given, else the `redis-server` that is installed, on a free port, writing
//! nothing to disk; or a Sentinel set of such.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::addresses;
use crate::sentinel::SentinelSet;

const PROGRAM: &str = "redis-server";
const UP_WITHIN: Duration = Duration::from_secs(5);

/// What to do where there is none.
pub(crate) const HOW_TO_INSTALL: &str = "install redis-server (`apt-get install redis-server`, `brew install redis`), or name a Redis with `--redis URL`";

/// A process of the scenario's own is killed when this is dropped.
#[derive(Debug)]
pub(crate) enum Redis {
    Own { address: SocketAddr, child: Child },
    Given(String),
    Set(SentinelSet),
}

pub(crate) async fn is_installed() -> bool {
    Command::new(PROGRAM).arg("--version").output().await.is_ok_and(|output| output.status.success())
}

impl Redis {
    pub(crate) async fn of(given: Option<&str>) -> io::Result<Self> {
        if let Some(url) = given {
            return Ok(Self::Given(url.to_owned()));
        }
        let (address, child) = own(&[]).await?;
        Ok(Self::Own { address, child })
    }

    pub(crate) async fn set() -> io::Result<Self> {
        Ok(Self::Set(SentinelSet::start().await?))
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Own { address, .. } => format!("redis://{address}"),
            Self::Given(url) => url.clone(),
            Self::Set(set) => set.url(),
        }
    }

    /// SIGKILL, and another one in its place, as whoever watches over it does. It is empty.
    pub(crate) async fn replace(&mut self) -> io::Result<()> {
        let Self::Own { address, child } = self else {
            return Err(io::Error::other("expected {redis} in the scenario's store, and no `--redis`"));
        };
        child.kill().await?;
        *child = spawn(*address, &[])?;
        Ok(())
    }

    /// SIGKILL to the master of a Sentinel set.
    pub(crate) async fn kill_master(&mut self) -> io::Result<()> {
        match self {
            Self::Set(set) => set.kill_master().await,
            _ => Err(io::Error::other("no Sentinel set, expected {sentinel} in the scenario's store")),
        }
    }
}

/// A server of the lab's own, with these settings besides.
pub(crate) async fn own(settings: &[&str]) -> io::Result<(SocketAddr, Child)> {
    let address = addresses::free()?;
    let child = spawn(address, settings)?;
    timeout(UP_WITHIN, accepting(address)).await?;
    Ok((address, child))
}

fn spawn(address: SocketAddr, settings: &[&str]) -> io::Result<Child> {
    program()
        .args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"])
        .args(settings)
        .spawn()
}

/// The installed program, silent, and killed with whoever holds it.
pub(crate) fn program() -> Command {
    let mut command = Command::new(PROGRAM);
    command.stdin(Stdio::null()).stdout(Stdio::null()).kill_on_drop(true);
    command
}

async fn accepting(address: SocketAddr) {
    while TcpStream::connect(address).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
}
