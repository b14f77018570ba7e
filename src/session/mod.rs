//! What a handler holds: the values of a session, and its life.
//!
//! | file | role |
//! |---|---|
//! | `mod` | `Session` itself |
//! | `values` | reading and writing values |
//! | `facts` | who, until when, under which handle |
//! | `csrf` | the token against cross-site requests |
//! | `life` | login, renewal, logout, and a user's other sessions |
//! | `find` | the session of a request, by cookie name where layers nest |
//! | `state` | what one request knows of its session |
//! | `pending` | what was changed and not yet committed |
//! | `open` | loading, and which of several cookies counts |
//! | `write` | one operation: from intent to commit, tried again where another request came between |
//! | `step` | what an operation asks of the store, made of one look at the session |
//! | `finish` | what happens after the handler |
//! | `route` | which route mark the response carries |
//! | `json` | values as JSON |
//! | `protect` | a commit once begun is finished |
//! | `schedules` | tests: clones of one session at once, under thousands of schedules |

mod csrf;
mod facts;
mod find;
mod finish;
mod json;
mod life;
mod open;
mod pending;
mod protect;
mod route;
#[cfg(feature = "memory")]
#[cfg(test)]
mod schedules;
mod state;
mod step;
mod values;
mod write;

use std::fmt;
use std::sync::{Arc, OnceLock};

use abide_core::Timestamp;

pub use abide_core::Keep;
pub use facts::Deadlines;
pub(crate) use finish::{Finish, Waiting};
pub use life::{LogIn, UserSession};
use state::{Identity, State};

use crate::cookie::Candidates;
use crate::shared::Shared;
use crate::sync::{AtomicBool, Mutex, MutexGuard, Ordering, PoisonError};

/// The session of one request.
///
/// Cheap to clone; a clone is the same. Nothing is loaded until a method asks, and then once.
///
/// **Reading** loads the session once. **`insert`, `remove`, `clear` and `set_idle_timeout`** are synchronous and
/// travel in one commit after the handler. **`increment`, `update`, `log_in`, `renew`, `log_out` and `save`** act when
/// awaited, and take pending changes along.
///
/// A request without a cookie, or with one that names no live session, has an empty session: reading finds nothing, and
/// the first write makes a new session with a token of its own. A session that ends while the request runs stays over:
/// reading finds nothing, writing is an error whose [`is_over`](crate::Error::is_over) is true, and no cookie is sent.
///
/// Dropping the future of a method that was polled leaves its commit to finish in the background.
///
/// Values are kept as JSON, each by itself.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let session = abide::Config::new().open().await?.detached();
/// session.insert("theme", "dark")?;
/// assert_eq!(session.get::<String>("theme").await?.as_deref(), Some("dark"));
/// assert_eq!(session.increment("visits", 1).await?, 1);
/// session.remove("theme");
/// assert_eq!(session.keys().await?, ["visits"]);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Session(Arc<Inner>);

struct Inner {
    shared: Arc<Shared>,
    candidates: Candidates,
    /// When the request began: what "end all sessions of a user" is compared with.
    began: Timestamp,
    state: Mutex<State>,
    /// Whether anybody asked: what the response's way looks at before anything else.
    touched: AtomicBool,
    /// Whether the session is loaded: then nobody has to look whether it is.
    opened: AtomicBool,
    /// One operation that waits at a time.
    gate: tokio::sync::Mutex<()>,
    /// The session of the layer around this one's.
    outer: OnceLock<Session>,
    /// Whether a layer within this one's was brought a session of its own.
    is_around: AtomicBool,
}

impl Session {
    pub(crate) fn begin(shared: &Arc<Shared>, candidates: Candidates) -> Self {
        Self(Arc::new(Inner {
            began: shared.now(),
            shared: shared.clone(),
            candidates,
            state: Mutex::default(),
            touched: AtomicBool::new(false),
            opened: AtomicBool::new(false),
            gate: tokio::sync::Mutex::const_new(()),
            outer: OnceLock::new(),
            is_around: AtomicBool::new(false),
        }))
    }

    pub(crate) fn detached(shared: &Arc<Shared>) -> Self {
        Self::begin(shared, Candidates::default())
    }

    fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// A panic under the lock cannot leave the state half changed: user code never runs under it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether no other clone is left that could look.
    fn is_alone(&self) -> bool {
        Arc::strong_count(&self.0) == 1
    }

    fn touch(&self) {
        self.0.touched.store(true, Ordering::Relaxed);
    }

    fn is_touched(&self) -> bool {
        self.0.touched.load(Ordering::Relaxed)
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state();
        let of = match &state.identity {
            Identity::Unopened => "not loaded".to_owned(),
            Identity::Empty => "empty".to_owned(),
            Identity::Over => "over".to_owned(),
            Identity::Live(_) | Identity::Left(_) => {
                state.key().map_or_else(String::new, |key| key.handle().short())
            }
        };
        write!(f, "Session({of})")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.headers_sent && !state.pending.is_empty() {
            let key = state.key();
            self.shared.tell(crate::event::EventKind::ChangesDropped, key);
        }
    }
}
