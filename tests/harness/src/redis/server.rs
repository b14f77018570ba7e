//! One `redis-server` process.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::Calls;

/// Far longer than a server takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// Somebody else may take a port between its choice and the server's start.
const ATTEMPTS: usize = 10;

/// How a server is started, beyond what every test's server is.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RedisSettings {
    arguments: Vec<String>,
    cli: Vec<String>,
    sentinel: Option<String>,
    bus: bool,
}

impl RedisSettings {
    /// Adds a setting of `redis.conf`: its name, and its values.
    pub fn set(mut self, name: &str, values: &[&str]) -> Self {
        self.arguments.push(format!("--{name}"));
        self.arguments.extend(values.iter().map(|value| (*value).to_owned()));
        self
    }

    /// Adds an argument of `redis-cli`, for a server that takes a login or speaks TLS.
    pub fn cli(mut self, arguments: &[&str]) -> Self {
        self.cli.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }
}

/// A running server. Dropping it kills the process and removes its folder.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    folder: TempDir,
    port: u16,
    settings: RedisSettings,
}

impl Redis {
    /// A single server that keeps nothing on disk.
    ///
    /// # Panics
    ///
    /// Where `redis-server` is not installed or does not come up.
    pub async fn single() -> Self {
        Self::start(RedisSettings::default()).await
    }

    /// A server with these settings.
    ///
    /// # Panics
    ///
    /// As [`single`](Self::single).
    pub async fn start(settings: RedisSettings) -> Self {
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix("abide-redis-").tempdir().unwrap();
            let port = free_port();
            let child = spawn(&settings, port, &folder);
            let mut server = Self { child, folder, port, settings: settings.clone() };
            if server.comes_up().await {
                return server;
            }
        }
        panic!("redis-server does not come up on any port");
    }

    /// Where it serves.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    /// The port it serves at.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://{}", self.address())
    }

    /// Its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// What `redis-cli` prints for a command, without colours and the last line's end.
    ///
    /// # Panics
    ///
    /// Where `redis-cli` cannot be run, or says nothing for 30 s.
    pub async fn cli(&self, command: &[&str]) -> String {
        let mut cli = Command::new("redis-cli");
        cli.args(["-h", "127.0.0.1", "-p", &self.port.to_string(), "--no-auth-warning"]);
        cli.args(&self.settings.cli).args(command).stdin(Stdio::null()).kill_on_drop(true);
        let output =
            timeout(PATIENCE, cli.output()).await.expect("the server answers").expect("redis-cli runs");
        String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
    }

    /// A field of `INFO`, or nothing.
    ///
    /// # Panics
    ///
    /// As [`cli`](Self::cli).
    pub async fn info(&self, field: &str) -> String {
        let info = self.cli(&["INFO", "everything"]).await;
        let mut lines = info.lines().filter_map(|line| line.trim_end().split_once(':'));
        lines.find(|(name, _)| *name == field).map(|(_, value)| value.to_owned()).unwrap_or_default()
    }

    /// How often it ran each command since it started.
    ///
    /// # Panics
    ///
    /// As [`cli`](Self::cli).
    pub async fn calls(&self) -> Calls {
        Calls::of(&self.cli(&["INFO", "commandstats"]).await)
    }

    /// Kills the process (SIGKILL) and waits until it is gone.
    ///
    /// # Panics
    ///
    /// Where it cannot be killed.
    pub async fn kill9(&mut self) {
        self.child.kill().await.unwrap();
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

    /// Starts it again, killed or not, on the same port in the same folder.
    ///
    /// # Panics
    ///
    /// Where it does not come up.
    pub async fn restart(&mut self) {
        self.child.kill().await.unwrap();
        self.child = spawn(&self.settings, self.port, &self.folder);
        assert!(self.comes_up().await, "redis-server does not come up again");
    }

    async fn signal(&self, signal: &str) {
        let pid = self.child.id().expect("the server runs").to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().await.unwrap();
        assert!(sent.success());
    }

    /// Whether this very process answers: another one may have taken the port.
    async fn comes_up(&mut self) -> bool {
        let up = timeout(PATIENCE, async {
            while self.child.try_wait().unwrap().is_none() {
                let pid = self.child.id().map(|pid| pid.to_string());
                if pid == Some(self.info("process_id").await) {
                    return true;
                }
                sleep(BETWEEN_LOOKS).await;
            }
            false
        });
        up.await.unwrap_or(false)
    }
}

fn spawn(settings: &RedisSettings, port: u16, folder: &TempDir) -> Child {
    let mut command = Command::new("redis-server");
    if let Some(file) = &settings.sentinel {
        let path = folder.path().join("sentinel.conf");
        if !path.exists() {
            std::fs::write(&path, file).unwrap();
        }
        command.arg(path);
    }
    command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    command.arg("--dir").arg(folder.path());
    if settings.sentinel.is_some() {
        command.arg("--sentinel");
    } else {
        command.args(["--save", "", "--appendonly", "no", "--unixsocket", "redis.sock"]);
    }
    if settings.bus {
        command.args(["--cluster-port", &free_port().to_string()]);
    }
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    command
        .args(&settings.arguments)
        .stdin(Stdio::null())
        .stdout(log)
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("redis-server is installed (tests/prerequisites does)")
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}
