//! Connections of a pool that the application brought.
//!
//! One of them is checked out for good, as the shared connection of all ordinary commands; one more for each operation that
//! waits for replicas, while it does. One that failed, or may still be answered, goes back to nobody.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool_redis::{Connection, Pool, PoolError};
use redis::aio::MultiplexedConnection;
use redis::{RedisError, RedisResult};

use super::AddressError;

/// The shared connection, and one to wait for replicas.
const LEAST: usize = 2;
/// Our own deadlines say when an answer is late: what the pool's connections think of that would break off a `WAIT`.
const NO_TIMEOUT: Duration = Duration::from_secs(24 * 3600);

/// A pool that the application brought.
#[derive(Clone)]
pub(super) struct Brought(Arc<Pool>);

/// A connection that was taken from a pool. It goes back there where it was said to be [good](Self::put_back), and is closed
/// otherwise.
pub(super) struct Taken(Option<Connection>);

impl Brought {
    pub(super) fn new(pool: Pool) -> Self {
        Self(Arc::new(pool))
    }

    pub(super) fn check(&self) -> Result<(), AddressError> {
        let size = self.0.status().max_size;
        if size < LEAST {
            return Err(AddressError::new(format!(
                "the pool has room for {size} connections, expected {LEAST} or more: one is kept for good"
            )));
        }
        Ok(())
    }

    /// Takes a connection. It waits for one as long as the pool says: callers have a deadline of their own.
    pub(super) async fn take(&self) -> RedisResult<(MultiplexedConnection, Taken)> {
        let taken = self.0.get().await.map_err(cause)?;
        let mut connection = MultiplexedConnection::clone(&taken);
        connection.set_response_timeout(NO_TIMEOUT);
        Ok((connection, Taken(Some(taken))))
    }
}

impl Taken {
    /// Whoever comes next may have it.
    pub(super) fn put_back(mut self) {
        drop(self.0.take());
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            drop(Connection::take(connection));
        }
    }
}

/// A pool is the same as itself alone.
impl PartialEq for Brought {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Brought {}

/// Shows nothing of how its connections log in.
impl fmt::Debug for Brought {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("status", &self.0.status()).finish_non_exhaustive()
    }
}

fn cause(error: PoolError) -> RedisError {
    match error {
        PoolError::Backend(error) => error,
        PoolError::Closed => (redis::ErrorKind::Client, "the pool is closed").into(),
        _ => (redis::ErrorKind::Client, "the pool has no connection").into(),
    }
}
