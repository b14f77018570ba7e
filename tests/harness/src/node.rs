//! `examples/node` as a real process, built once for each test program.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

/// Far longer than a node takes to start or to drain; a test that waits for ever says nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running node. Dropping it kills the process.
#[derive(Debug)]
pub struct Node {
    child: Child,
    /// Where it serves.
    pub address: SocketAddr,
}

/// How a process ended, and what it said.
#[derive(Debug)]
pub struct NodeExit {
    /// Its exit status.
    pub status: ExitStatus,
    /// What it wrote to standard error.
    pub stderr: String,
}

impl Node {
    /// Starts a node with these variables, on a free port.
    ///
    /// # Panics
    ///
    /// Where it does not come up.
    pub async fn start(variables: &[(&str, &str)]) -> Self {
        let mut child = command(variables).spawn().expect("the node starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("the node comes up in time");
        let Some(line) = line.unwrap() else {
            let exit = exit(child).await;
            panic!("the node did not come up: {exit:?}");
        };
        let address = line.strip_prefix("listening on ").expect("the node names its address");
        Self { child, address: address.parse().unwrap() }
    }

    /// Runs a node that is expected to end by itself, and answers how it did.
    pub async fn run_to_end(variables: &[(&str, &str)]) -> NodeExit {
        exit(command(variables).spawn().expect("the node starts")).await
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    ///
    /// Where there is no `kill`.
    pub async fn terminate(self) -> NodeExit {
        self.begin_to_end().await;
        exit(self.child).await
    }

    /// Sends SIGTERM.
    ///
    /// # Panics
    ///
    /// Where there is no `kill`.
    pub async fn begin_to_end(&self) {
        let pid = self.child.id().expect("the node runs").to_string();
        let sent = Command::new("kill").args(["-TERM", &pid]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Sends SIGKILL, as a crash, and waits until the process is gone.
    ///
    /// # Panics
    ///
    /// Where it cannot be killed.
    pub async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }

    /// Starts a node and kills it after `delay`, wherever it is by then.
    ///
    /// # Panics
    ///
    /// Where it cannot be killed.
    pub async fn start_and_kill(variables: &[(&str, &str)], delay: Duration) {
        let mut child = command(variables).spawn().expect("the node starts");
        tokio::time::sleep(delay).await;
        child.kill().await.unwrap();
    }
}

/// Waits for the end. A node that does not end is killed when the test's panic drops it.
async fn exit(mut child: Child) -> NodeExit {
    let mut stderr = String::new();
    let mut pipe = child.stderr.take().unwrap();
    let status = timeout(PATIENCE, async {
        pipe.read_to_string(&mut stderr).await.unwrap();
        child.wait().await.unwrap()
    });
    let status = status.await.expect("the node ends in time");
    NodeExit { status, stderr }
}

fn command(variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(binary());
    // The node's settings are those of the test alone, also where the tests run with settings of their own.
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("ABIDE_") {
            command.env_remove(name);
        }
    }
    command
        .env("LISTEN", "127.0.0.1:0")
        .envs(variables.iter().copied())
        .current_dir(std::env::temp_dir())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// The binary. Cargo builds it where it is not there yet, and tells where that is.
fn binary() -> &'static PathBuf {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml");
        let build = ["build", "--package", "node", "--bin", "node", "--message-format", "json"];
        let output = std::process::Command::new(env!("CARGO"))
            .args(build)
            .args(["--manifest-path", manifest])
            .stderr(Stdio::inherit())
            .output()
            .expect("cargo runs");
        assert!(output.status.success(), "the node does not build");
        let messages = String::from_utf8(output.stdout).unwrap();
        let mut executables = messages.lines().rev().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            Some(PathBuf::from(message["executable"].as_str()?))
        });
        executables.next().expect("cargo names the binary")
    })
}
