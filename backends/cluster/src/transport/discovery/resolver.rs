//! Who knows which addresses a name has.

use std::fmt;
use std::io;
use std::net::SocketAddr;

use async_trait::async_trait;

/// Knows which addresses a name has.
#[async_trait]
pub trait Resolver: fmt::Debug + Send + Sync {
    /// All addresses of a name, at a port. None is an answer too.
    ///
    /// # Errors
    ///
    /// [`io::Error`] where nobody could say.
    ///
    /// # Cancellation
    ///
    /// It is cancelled where it takes as long as the time between two look-ups.
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>>;
}

/// Asks the system, as tokio's [`lookup_host`](tokio::net::lookup_host) does.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolver;

#[async_trait]
impl Resolver for SystemResolver {
    async fn resolve(&self, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
        Ok(tokio::net::lookup_host((host, port)).await?.collect())
    }
}
