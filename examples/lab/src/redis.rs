//! The Redis of a scenario: the one whose URL was given, else the `redis-server` that is installed, on a free port, writing
//! nothing to disk.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use crate::addresses;

const PROGRAM: &str = "redis-server";
const UP_WITHIN: Duration = Duration::from_secs(5);

/// What to do where there is none.
pub(crate) const HOW_TO_INSTALL: &str = "install redis-server (`apt-get install redis-server`, `brew install redis`), or name a Redis with `--redis URL`";

/// A process of the scenario's own is killed when this is dropped.
#[derive(Debug)]
pub(crate) enum Redis {
    Own { address: SocketAddr, child: Child },
    Given(String),
}

pub(crate) async fn is_installed() -> bool {
    Command::new(PROGRAM).arg("--version").output().await.is_ok_and(|output| output.status.success())
}

impl Redis {
    pub(crate) async fn of(given: Option<&str>) -> io::Result<Self> {
        if let Some(url) = given {
            return Ok(Self::Given(url.to_owned()));
        }
        let address = addresses::free()?;
        let child = spawn(address)?;
        timeout(UP_WITHIN, accepting(address)).await?;
        Ok(Self::Own { address, child })
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Own { address, .. } => format!("redis://{address}"),
            Self::Given(url) => url.clone(),
        }
    }

    /// SIGKILL, and another one in its place, as whoever watches over it does. It is empty.
    pub(crate) async fn replace(&mut self) -> io::Result<()> {
        let Self::Own { address, child } = self else {
            return Err(io::Error::other("the Redis of `--redis` is not the lab's to kill"));
        };
        child.kill().await?;
        *child = spawn(*address)?;
        Ok(())
    }
}

fn spawn(address: SocketAddr) -> io::Result<Child> {
    Command::new(PROGRAM)
        .args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()])
        .args(["--save", "", "--appendonly", "no"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
}

async fn accepting(address: SocketAddr) {
    while TcpStream::connect(address).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
}
