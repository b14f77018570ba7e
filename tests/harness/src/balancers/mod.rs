//! Real load balancers, each on a free loopback port in a temporary folder, gone when dropped.
//!
//! They run the very files of `examples/balancers`, with ports, aliases and the names of cookies filled in.
//!
//! | file | role |
//! |---|---|
//! | `mod` | one process: start, and its end |
//! | `haproxy`, `nginx`, `apache` | how each is started |

mod apache;
mod haproxy;
mod nginx;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::sleep;

use crate::ports;

/// Far longer than a balancer takes to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// Somebody else may take a port between its choice and the start.
const ATTEMPTS: usize = 10;

/// A server behind the balancer: its alias, and where it is.
pub type Member = (String, SocketAddr);

/// Which balancer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// HAProxy.
    Haproxy,
    /// HAProxy that writes the mark itself for a client who has none.
    HaproxyMarks,
    /// nginx, open source.
    Nginx,
    /// Apache httpd.
    Apache,
}

/// A running balancer. Dropping it ends it with all its processes, and removes its folder.
#[derive(Debug)]
pub struct Balancer {
    child: Child,
    folder: TempDir,
    /// Where it serves.
    pub address: SocketAddr,
}

impl Balancer {
    /// Starts a balancer over three servers, with its file of `examples/balancers`.
    ///
    /// # Panics
    ///
    /// Where it is not installed or does not come up.
    pub async fn start(kind: Kind, members: &[Member; 3]) -> Self {
        for _ in 0..ATTEMPTS {
            let folder = tempfile::Builder::new().prefix("abide-balancer-").tempdir().unwrap();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
            let mut command = match kind {
                Kind::Haproxy => haproxy::command(folder.path(), address, members, false),
                Kind::HaproxyMarks => haproxy::command(folder.path(), address, members, true),
                Kind::Nginx => nginx::command(folder.path(), address, members),
                Kind::Apache => apache::command(folder.path(), address, members),
            };
            let output = std::fs::File::create(folder.path().join("output")).unwrap();
            command
                .stdin(Stdio::null())
                .stdout(output.try_clone().unwrap())
                .stderr(output)
                .kill_on_drop(true);
            let child = command.spawn().unwrap_or_else(|error| panic!("{kind:?} starts: {error}"));
            let mut balancer = Self { child, folder, address };
            if balancer.comes_up().await {
                return balancer;
            }
        }
        panic!("{kind:?} does not come up on any port");
    }

    async fn comes_up(&mut self) -> bool {
        let until = tokio::time::Instant::now() + PATIENCE;
        while tokio::time::Instant::now() < until {
            if TcpStream::connect(self.address).await.is_ok() {
                return true;
            }
            if self.child.try_wait().unwrap().is_some() {
                break;
            }
            sleep(BETWEEN_LOOKS).await;
        }
        println!("{}", std::fs::read_to_string(self.folder.path().join("output")).unwrap_or_default());
        false
    }
}

/// SIGTERM takes the workers along, which a kill would leave behind.
impl Drop for Balancer {
    fn drop(&mut self) {
        if let Some(id) = self.child.id() {
            let _ = std::process::Command::new("kill").args(["-TERM", &id.to_string()]).status();
            let until = std::time::Instant::now() + Duration::from_secs(5);
            while matches!(self.child.try_wait(), Ok(None)) && std::time::Instant::now() < until {
                std::thread::sleep(BETWEEN_LOOKS);
            }
        }
    }
}

/// A file of `examples/balancers` as it stands there.
fn example(file: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/balancers");
    std::fs::read_to_string(folder.join(file)).unwrap()
}

/// A text of `examples/balancers`, for these servers and plain http.
fn filled(mut text: String, address: SocketAddr, members: &[Member; 3]) -> String {
    for (n, (alias, server)) in members.iter().enumerate() {
        text = text.replace(&format!("127.0.0.1:{}", 8001 + n), &server.to_string());
        text = text.replace(["ALIAS-A", "ALIAS-B", "ALIAS-C"][n], alias);
    }
    text.replace("127.0.0.1:8080", &address.to_string()).replace("__Host-", "")
}

fn write(folder: &Path, name: &str, text: &str) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, text).unwrap();
    path
}

/// Whether this process may do everything: then a server wants to be told as whom to serve.
fn is_root() -> bool {
    let id = std::process::Command::new("id").arg("-u").output().unwrap();
    id.stdout.trim_ascii() == b"0"
}

/// A program that lies where only administrators look.
fn program(names: &[&str]) -> Command {
    let folders = ["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin", "/usr/local/bin", "/usr/bin"];
    let candidates = names.iter().flat_map(|name| folders.map(|folder| Path::new(folder).join(name)));
    Command::new(candidates.into_iter().find(|path| path.exists()).unwrap_or_else(|| names[0].into()))
}
