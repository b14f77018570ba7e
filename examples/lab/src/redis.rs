//! A Redis of a scenario's own: the `redis-server` that is installed, on a free port, writing nothing to disk.

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

/// The process is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    child: Child,
}

pub(crate) async fn is_installed() -> bool {
    Command::new(PROGRAM).arg("--version").output().await.is_ok_and(|output| output.status.success())
}

impl Redis {
    pub(crate) async fn start() -> io::Result<Self> {
        let address = addresses::free()?;
        let child = Command::new(PROGRAM)
            .args(["--bind", &address.ip().to_string(), "--port", &address.port().to_string()])
            .args(["--save", "", "--appendonly", "no"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        timeout(UP_WITHIN, accepting(address)).await?;
        Ok(Self { address, child })
    }

    pub(crate) async fn kill(&mut self) -> io::Result<()> {
        self.child.kill().await
    }
}

async fn accepting(address: SocketAddr) {
    while TcpStream::connect(address).await.is_err() {
        sleep(Duration::from_millis(20)).await;
    }
}
