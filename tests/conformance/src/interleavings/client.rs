//! What a plan is carried out with: clients that send requests, and what a handler can ask of its session.
//!
//! One kind of client talks to a store as abide's layer does ([`StoreClient`](super::StoreClient)); another goes through
//! the layer itself; a third may send HTTP to a server.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{ErrorKind, Timestamp, Token, async_trait};

use super::network::Traffic;
use super::plan::{Arithmetic, KEYS, Kept};

/// A boxed future.
pub type Boxed<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// What a handler sees of a live session, what it wrote and did not commit included.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct View {
    /// Which of [`USERS`](super::USERS) is signed in.
    pub user: Option<usize>,
    /// The numbers under [`KEYS`].
    pub values: [Option<i64>; KEYS.len()],
    /// The idle deadline.
    pub idle: Timestamp,
    /// The absolute deadline.
    pub absolute: Timestamp,
}

/// The session in a handler: one method for each kind of call. A method that does not wait is seen by the commit that
/// comes next.
#[async_trait]
pub trait Calls: Send + Sync {
    /// What the handler sees; `None` without a session. Asks the store only for the first call of a request.
    async fn look(&self) -> Result<Option<View>, ErrorKind>;
    /// Sets a value.
    fn set(&self, key: usize, value: i64);
    /// Removes a value.
    fn remove(&self, key: usize);
    /// Changes how long the session may go unused.
    fn set_idle_timeout(&self, timeout: Duration);
    /// Updates a number, and answers the new one.
    async fn update(&self, key: usize, change: Arithmetic) -> Result<i64, ErrorKind>;
    /// Commits.
    async fn save(&self) -> Result<(), ErrorKind>;
    /// Signs a user in.
    async fn log_in(&self, user: usize, kept: Kept) -> Result<(), ErrorKind>;
    /// Gives the session a new token.
    async fn renew(&self) -> Result<(), ErrorKind>;
    /// Signs the user out, and goes on.
    async fn leave(&self, kept: Kept) -> Result<(), ErrorKind>;
    /// Ends the session.
    async fn log_out(&self) -> Result<(), ErrorKind>;
    /// Commits a change to the session of the run as if in an era that it never had. Only where
    /// [`Abilities::creates_here`](super::Abilities::creates_here).
    async fn stray(&self) -> Result<(), ErrorKind>;
}

/// What a handler does: it gets the session, and answers whether all went well.
pub type Handler = Box<dyn FnOnce(Arc<dyn Calls>) -> Boxed<bool> + Send>;

/// What a response says about the cookie.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Cookie {
    /// Nothing.
    None,
    /// This token from now on.
    Set(Token),
    /// No token any more.
    Removed,
}

impl fmt::Debug for Cookie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::None => "no cookie",
            Self::Set(_) => "a cookie",
            Self::Removed => "a removal",
        })
    }
}

/// What came of a request.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    /// The error that took the place of the handler's answer.
    pub failed: Option<ErrorKind>,
    /// What it says about the cookie.
    pub cookie: Cookie,
}

/// One client, with a way of its own to the session.
#[async_trait]
pub trait Client: Send + Sync {
    /// Sends a request with this token to a server that runs `handler`.
    async fn request(&self, token: Option<Token>, handler: Handler) -> Response;

    /// What came to pass between this client's server and the store.
    fn traffic(&self) -> &Traffic;
}
