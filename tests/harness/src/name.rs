//! A name that the nodes of one test alone know, and whose addresses the test adds while they look it up.
//!
//! Each node runs in a mount namespace of its own, in which a file of the test lies over `/etc/hosts`. So it needs no name
//! server, changes nothing on the machine, and needs no root where the kernel lets users make namespaces.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::cluster::Seat;
use crate::ports;

const HOST: &str = "peers.abide.test";
/// Puts the file `$0` in its place, and runs what comes after it.
const WITH_FILE: &str = r#"mount --bind "$0" /etc/hosts && exec "$@""#;

/// A name of nodes at one port and several addresses of this machine.
#[derive(Debug)]
pub struct Name {
    folder: TempDir,
    /// As root, or in a user namespace.
    way: &'static str,
    port: u16,
}

impl Name {
    /// A name with one address, at which nobody is.
    ///
    /// # Errors
    ///
    /// Where mount namespaces cannot be made: neither as root nor in a user namespace.
    ///
    /// # Panics
    ///
    /// Where the temporary folder cannot be written.
    pub fn new() -> Result<Self, String> {
        let folder = tempfile::Builder::new().prefix("abide-name-").tempdir().unwrap();
        let mut name = Self { folder, way: "-m", port: ports::free() };
        std::fs::write(name.file(), "127.0.0.1 localhost\n").unwrap();
        name.shows(u8::MAX);
        for way in ["-m", "-rm"] {
            name.way = way;
            if name.is_possible() {
                return Ok(name);
            }
        }
        Err("mount namespaces cannot be made here".to_owned())
    }

    /// From now on the name has the address of the seat as well.
    ///
    /// # Panics
    ///
    /// Where the file cannot be written.
    pub fn shows(&self, seat: u8) {
        // Lines are added: whoever reads meanwhile finds what was there before.
        let mut file = OpenOptions::new().append(true).open(self.file()).unwrap();
        writeln!(file, "{} {HOST}", address(seat)).unwrap();
    }

    /// A seat whose node looks names up as this test says.
    #[must_use]
    pub fn seat(&self, seat: u8) -> Seat {
        let peers = SocketAddr::from((address(seat), self.port));
        Seat { peers, runner: self.runner(), ..Seat::free() }
    }

    /// What nodes are told to look up.
    #[must_use]
    pub fn join(&self) -> String {
        format!("{HOST}:{}", self.port)
    }

    fn runner(&self) -> Vec<String> {
        let file = self.file().to_str().expect("a temporary folder has a name in UTF-8").to_owned();
        ["unshare", self.way, "sh", "-c", WITH_FILE]
            .map(ToOwned::to_owned)
            .into_iter()
            .chain([file])
            .collect()
    }

    fn is_possible(&self) -> bool {
        let runner = self.runner();
        let mut command = Command::new(&runner[0]);
        command.args(&runner[1..]).arg("true").stdin(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("hosts")
    }
}

/// All of `127.0.0.0/8` is this machine.
fn address(seat: u8) -> Ipv4Addr {
    Ipv4Addr::new(127, 0, 1, seat)
}
