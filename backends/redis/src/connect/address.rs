//! Where the servers are: the part of a URL that names them.

use std::fmt;

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _};

/// Where the servers are. `Debug` shows no user and no password.
#[derive(Clone)]
pub struct Address {
    pub(super) server: ConnectionInfo,
}

/// An address that was refused. It names what is accepted, and never a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(String);

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// Reads what follows the scheme's colon, without options: `//user:password@host:6379/0`.
    ///
    /// # Errors
    ///
    /// [`AddressError`] where it names no server.
    pub fn parse(scheme: &str, rest: &str) -> Result<Self, AddressError> {
        let server = format!("{scheme}:{rest}").into_connection_info();
        let server = server.map_err(|_| {
            AddressError(format!(
                "store address of `{scheme}:` is not valid, expected `redis://host:port/db`"
            ))
        })?;
        Ok(Self { server })
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.server.addr() {
            ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => {
                write!(f, "Address({host}:{port})")
            }
            ConnectionAddr::Unix(path) => write!(f, "Address({})", path.display()),
            _ => f.write_str("Address(…)"),
        }
    }
}
