//! One `redis-server` process.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::{Calls, RedisSettings};
use crate::ports;

/// Far longer than a server takes to start on a busy machine.
pub(super) const PATIENCE: Duration = Duration::from_secs(60);
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// Somebody else may take a port between its choice and the server's start.
const ATTEMPTS: usize = 10;

/// A running server. Dropping it kills the process and removes its folder.
#[derive(Debug)]
pub struct Redis {
    child: Child,
    folder: TempDir,
    port: u16,
    settings: RedisSettings,
    stopped: AtomicBool,
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
            let port = ports::free();
            let child = spawn(&settings, port, &folder);
            let stopped = AtomicBool::new(false);
            let mut server = Self { child, folder, port, settings: settings.clone(), stopped };
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
        let scheme = if self.speaks_tls() { "rediss" } else { "redis" };
        format!("{scheme}://{}", self.address())
    }

    pub(super) fn speaks_tls(&self) -> bool {
        self.settings.speaks_tls()
    }

    /// Its Unix socket.
    #[must_use]
    pub fn socket(&self) -> PathBuf {
        self.folder.path().join("redis.sock")
    }

    /// What `redis-cli` prints for a command, without the last line's end.
    ///
    /// # Panics
    ///
    /// Where `redis-cli` cannot be run, or says nothing for a minute.
    pub async fn cli(&self, command: &[&str]) -> String {
        let mut cli = self.settings.client(self.port);
        cli.args(command).stdin(Stdio::null()).kill_on_drop(true);
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
        let info = self.cli(&["INFO"]).await;
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

    /// Whether the process runs and was not stopped.
    #[must_use]
    pub fn serves(&self) -> bool {
        self.child.id().is_some() && !self.stopped.load(Ordering::Relaxed)
    }

    /// Whether it was [stopped](Self::stop).
    #[must_use]
    pub fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
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
        self.stopped.store(true, Ordering::Relaxed);
        self.signal("-STOP").await;
    }

    /// Lets a stopped process go on (SIGCONT).
    ///
    /// # Panics
    ///
    /// Where there is no `kill`.
    pub async fn cont(&self) {
        self.signal("-CONT").await;
        self.stopped.store(false, Ordering::Relaxed);
    }

    /// Starts it again, killed or not, on the same port in the same folder.
    ///
    /// # Panics
    ///
    /// Where it does not come up.
    pub async fn restart(&mut self) {
        if self.child.id().is_some() {
            self.child.kill().await.unwrap();
        }
        self.stopped.store(false, Ordering::Relaxed);
        self.child = spawn(&self.settings, self.port, &self.folder);
        assert!(self.comes_up().await, "redis-server does not come up again: {}", self.log());
    }

    /// Waits until a field of `INFO` has a value.
    ///
    /// # Panics
    ///
    /// Where it has not within a minute.
    pub async fn until(&self, field: &str, value: &str) {
        let reached = timeout(PATIENCE, async {
            while self.info(field).await != value {
                sleep(BETWEEN_LOOKS).await;
            }
        });
        reached.await.unwrap_or_else(|_| panic!("{field} does not become {value}"));
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
        up.await.unwrap_or_else(|_| panic!("redis-server runs and does not answer: {}", self.log()))
    }

    /// What it wrote to its log.
    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

fn spawn(settings: &RedisSettings, port: u16, folder: &TempDir) -> Child {
    let log = std::fs::File::options().create(true).append(true).open(folder.path().join("log")).unwrap();
    let mut command = settings.server(port, folder);
    command.stdin(Stdio::null()).stdout(log).stderr(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("redis-server is installed (tests/prerequisites does)")
}
