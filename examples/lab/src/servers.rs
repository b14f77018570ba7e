//! A node as a process of its own, seen from the lab.

use std::io;
use std::net::SocketAddr;
use std::process::Stdio;
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::{sleep, timeout};

use crate::role;
use crate::stage::Stage;
use crate::tally::Memory;
use crate::wire::{self, Client};

/// A cluster takes some seconds to be founded.
const READY_WITHIN: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(50);

/// The process is killed when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) name: String,
    child: Child,
    /// Kept open for as long as the process lives, which would fail to print otherwise.
    stdout: Lines<BufReader<ChildStdout>>,
    at_the_kill: Option<Memory>,
}

impl Server {
    /// Starts the process, and waits for nothing: the nodes of a cluster need each other to begin.
    pub(crate) fn start(name: &str, store: &str) -> io::Result<Self> {
        let mut child = command(name, store)?.spawn()?;
        let stdout = child.stdout.take().ok_or_else(|| io::Error::other("no standard output"))?;
        let stdout = BufReader::new(stdout).lines();
        Ok(Self { name: name.to_owned(), child, stdout, at_the_kill: None })
    }

    /// Waits until the node serves, and says where.
    pub(crate) async fn ready(&mut self, client: &Client) -> io::Result<SocketAddr> {
        let readiness = async {
            let address = self.listening().await?;
            while !is_ready(client, address).await {
                sleep(BETWEEN_LOOKS).await;
            }
            Ok(address)
        };
        timeout(READY_WITHIN, readiness).await?
    }

    async fn listening(&mut self) -> io::Result<SocketAddr> {
        let line = self.stdout.next_line().await?.unwrap_or_default();
        line.strip_prefix("listening on ")
            .and_then(|address| address.parse().ok())
            .ok_or_else(|| io::Error::other(format!("server {} did not start", self.name)))
    }

    /// SIGKILL, after a last look at its memory.
    pub(crate) async fn kill(&mut self, stage: &Stage) -> io::Result<()> {
        self.at_the_kill = Some(Memory { killed: true, ..self.memory().await });
        stage.will_kill(&self.name);
        self.child.kill().await?;
        stage.has_gone();
        Ok(())
    }

    pub(crate) async fn memory(&self) -> Memory {
        if let Some(memory) = &self.at_the_kill {
            return memory.clone();
        }
        let bytes = match self.child.id() {
            Some(id) => resident(id).await,
            None => None,
        };
        Memory { server: self.name.clone(), bytes, killed: false }
    }
}

fn command(name: &str, store: &str) -> io::Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    // Settings in the caller's environment or directory are not part of the comparison.
    for (key, _) in std::env::vars_os().filter(|(key, _)| key.to_string_lossy().starts_with("ABIDE_")) {
        command.env_remove(key);
    }
    command
        .env(role::VARIABLE, role::NODE)
        .env("LISTEN", "127.0.0.1:0")
        .env("ABIDE_CONFIG", "/dev/null")
        .env("ABIDE_NODE", name)
        .env("ABIDE_STORE", store)
        .env("RUST_LOG", std::env::var_os("RUST_LOG").unwrap_or_else(|| "error".into()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    Ok(command)
}

async fn is_ready(client: &Client, address: SocketAddr) -> bool {
    let request = wire::request(Method::GET, &format!("http://{address}/ready"), None);
    wire::exchange(client, request).await.is_ok_and(|answer| answer.status() == StatusCode::OK)
}

/// `ps` reports KiB on Linux and macOS alike.
async fn resident(id: u32) -> Option<u64> {
    let output = Command::new("ps").args(["-o", "rss=", "-p", &id.to_string()]).output().await.ok()?;
    let kib: u64 = String::from_utf8(output.stdout).ok()?.trim().parse().ok()?;
    Some(kib << 10)
}
