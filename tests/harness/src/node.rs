//! `examples/node` as a real process, built once for each test program.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Far longer than a node takes to start or to drain; a test that waits for ever says nothing.
const PATIENCE: Duration = Duration::from_secs(30);

/// A running node. Dropping it kills the process.
#[derive(Debug)]
pub struct Node {
    child: Child,
    stderr: Stderr,
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
        Self::start_by(&[], variables).await
    }

    /// Starts a node by a command and its first arguments, which run the program that comes after them.
    ///
    /// # Panics
    ///
    /// Where it does not come up.
    pub async fn start_by(runner: &[String], variables: &[(&str, &str)]) -> Self {
        let mut child = command(runner, variables).spawn().expect("the node starts");
        let stderr = Stderr::read(&mut child);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = timeout(PATIENCE, lines.next_line()).await.expect("the node comes up in time");
        let Some(line) = line.unwrap() else {
            let exit = exit(child, stderr).await;
            panic!("the node did not come up: {exit:?}");
        };
        let address = line.strip_prefix("listening on ").expect("the node names its address");
        Self { child, stderr, address: address.parse().unwrap() }
    }

    /// Runs a node that is expected to end by itself, and answers how it did.
    pub async fn run_to_end(variables: &[(&str, &str)]) -> NodeExit {
        Self::run_with(&[], variables).await
    }

    /// As [`run_to_end`](Self::run_to_end), with arguments.
    ///
    /// # Panics
    ///
    /// Where it does not end.
    pub async fn run_with(arguments: &[&str], variables: &[(&str, &str)]) -> NodeExit {
        let mut child = command(&[], variables).args(arguments).spawn().expect("the node starts");
        let stderr = Stderr::read(&mut child);
        exit(child, stderr).await
    }

    /// Runs it as another user, with these arguments, to its end. Only root can. The binary is copied into `folder`, for that user
    /// to get at it.
    ///
    /// # Panics
    ///
    /// Where it does not start.
    pub async fn run_as(
        user: u32,
        folder: &Path,
        arguments: &[&str],
        variables: &[(&str, &str)],
    ) -> NodeExit {
        let copy = folder.join("node");
        std::fs::copy(binary(), &copy).expect("the binary is copied");
        let mut child =
            command_of(&copy, variables).args(arguments).uid(user).spawn().expect("the node starts");
        let stderr = Stderr::read(&mut child);
        exit(child, stderr).await
    }

    /// Sends SIGTERM and waits for the end.
    ///
    /// # Panics
    ///
    /// Where there is no `kill`.
    pub async fn terminate(self) -> NodeExit {
        self.begin_to_end().await;
        exit(self.child, self.stderr).await
    }

    /// Sends SIGTERM.
    ///
    /// # Panics
    ///
    /// Where there is no `kill`.
    pub async fn begin_to_end(&self) {
        self.signal("-TERM").await;
    }

    /// Stops the process where it is (SIGSTOP): its connections stay, and nothing is answered.
    ///
    /// # Panics
    ///
    /// Where there is no `kill`.
    pub async fn stop(&self) {
        self.signal("-STOP").await;
    }

    /// Lets a stopped process go on (SIGCONT).
    ///
    /// # Panics
    ///
    /// Where there is no `kill`.
    pub async fn cont(&self) {
        self.signal("-CONT").await;
    }

    /// Tells the process that something is to be read again (SIGHUP).
    ///
    /// # Panics
    ///
    /// Where there is no `kill`.
    pub async fn hang_up(&self) {
        self.signal("-HUP").await;
    }

    /// The process's number.
    ///
    /// # Panics
    ///
    /// Where it ended.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id().expect("the node runs")
    }

    /// What it has written to standard error so far.
    #[must_use]
    pub fn said(&self) -> String {
        self.stderr.text()
    }

    async fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.pid().to_string()]).status().await.unwrap();
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
        let mut child = command(&[], variables).spawn().expect("the node starts");
        tokio::time::sleep(delay).await;
        child.kill().await.unwrap();
    }
}

/// What a node writes to standard error. It is read all the time: a full pipe would stop the node.
#[derive(Debug)]
struct Stderr {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stderr {
    fn read(child: &mut Child) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let reader = tokio::spawn(collect(child.stderr.take().unwrap(), text.clone()));
        Self { text, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}

async fn collect(mut pipe: ChildStderr, text: Arc<Mutex<Vec<u8>>>) {
    let mut bytes = [0; 4096];
    while let Ok(count @ 1..) = pipe.read(&mut bytes).await {
        text.lock().unwrap().extend_from_slice(&bytes[..count]);
    }
}

/// Waits for the end. A node that does not end is killed when the test's panic drops it.
async fn exit(mut child: Child, mut stderr: Stderr) -> NodeExit {
    let status = timeout(PATIENCE, async {
        (&mut stderr.reader).await.unwrap();
        child.wait().await.unwrap()
    });
    let status = status.await.unwrap_or_else(|_| panic!("the node does not end in time: {}", stderr.text()));
    NodeExit { status, stderr: stderr.text() }
}

fn command(runner: &[String], variables: &[(&str, &str)]) -> Command {
    match runner {
        [] => command_of(binary(), variables),
        [runner, arguments @ ..] => {
            let mut command = command_of(Path::new(runner), variables);
            command.args(arguments).arg(binary());
            command
        }
    }
}

fn command_of(program: &Path, variables: &[(&str, &str)]) -> Command {
    let mut command = Command::new(program);
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
        let mut cargo = std::process::Command::new(env!("CARGO"));
        cargo.args(build).args(["--manifest-path", manifest]).stderr(Stdio::inherit());
        // What cargo tells a test of its own package: a dependency that looks at it would be built anew for each of them.
        for (name, _) in std::env::vars_os() {
            if ["CARGO_MANIFEST_", "CARGO_PKG_"]
                .iter()
                .any(|of_test| name.to_string_lossy().starts_with(of_test))
            {
                cargo.env_remove(name);
            }
        }
        let output = cargo.output().expect("cargo runs");
        assert!(output.status.success(), "the node does not build");
        let messages = String::from_utf8(output.stdout).unwrap();
        let mut executables = messages.lines().rev().filter_map(|line| {
            let message: Value = serde_json::from_str(line).ok()?;
            Some(PathBuf::from(message["executable"].as_str()?))
        });
        executables.next().expect("cargo names the binary")
    })
}
