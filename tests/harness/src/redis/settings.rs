//! How a server is started.

use std::path::Path;

use tempfile::TempDir;
use tokio::process::Command;

use super::tls::Certificates;

/// How a server is started, beyond what every test's server is: on loopback, with nothing on disk.
#[derive(Clone, Debug, Default)]
#[must_use]
pub struct RedisSettings {
    arguments: Vec<String>,
    cli: Vec<String>,
    sentinel: Option<String>,
    cluster: bool,
    tls: Option<Certificates>,
}

impl RedisSettings {
    /// Adds a setting of `redis.conf`: its name, and its values.
    pub fn set(mut self, name: &str, values: &[&str]) -> Self {
        self.arguments.push(format!("--{name}"));
        self.arguments.extend(values.iter().map(|value| (*value).to_owned()));
        self
    }

    /// Adds arguments of [`Redis::cli`](super::Redis::cli), for a server that wants a login.
    pub fn cli(mut self, arguments: &[&str]) -> Self {
        self.cli.extend(arguments.iter().map(|argument| (*argument).to_owned()));
        self
    }

    /// The server speaks TLS alone, with this certificate.
    pub fn tls(mut self, certificates: &Certificates) -> Self {
        self.tls = Some(certificates.clone());
        self
    }

    pub(super) fn sentinel(mut self, file: String) -> Self {
        self.sentinel = Some(file);
        self
    }

    pub(super) fn cluster(mut self) -> Self {
        self.cluster = true;
        self
    }

    pub(super) fn speaks_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// The command that starts the server. `folder` keeps its files over a restart.
    pub(super) fn server(&self, port: u16, folder: &TempDir) -> Command {
        let mut command = Command::new("redis-server");
        self.kind(&mut command, folder.path());
        command.args(["--bind", "127.0.0.1"]).arg("--dir").arg(folder.path());
        match &self.tls {
            None => command.args(["--port", &port.to_string()]),
            Some(certificates) => {
                let port = port.to_string();
                command.args(["--port", "0", "--tls-port", &port, "--tls-auth-clients", "no"]);
                command.args(["--tls-replication", "yes"]);
                command.args(certificates.server_arguments())
            }
        };
        command.args(&self.arguments);
        command
    }

    fn kind(&self, command: &mut Command, folder: &Path) {
        if let Some(file) = &self.sentinel {
            let path = folder.join("sentinel.conf");
            // Written once: what a sentinel learned is in there after a restart.
            if !path.exists() {
                std::fs::write(&path, file).unwrap();
            }
            command.arg(path).arg("--sentinel");
            return;
        }
        command.args(["--save", "", "--appendonly", "no", "--unixsocket", "redis.sock"]);
        if self.cluster {
            command.args(["--cluster-enabled", "yes"]);
        }
    }

    /// The command that talks to the server.
    pub(super) fn client(&self, port: u16) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-h", "127.0.0.1", "-p", &port.to_string(), "--no-auth-warning"]);
        if let Some(certificates) = &self.tls {
            command.args(certificates.client_arguments());
        }
        command.args(&self.cli);
        command
    }
}
