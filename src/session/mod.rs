//! What a handler holds: the values of a session, and its life.
//!
//! | file | role |
//! |---|---|
//! | `mod` | `Session`: the values |
//! | `life` | login, renewal, logout, and a user's other sessions |
//! | `find` | the session of a request, by cookie name where layers nest |
//! | `state` | what one request knows of its session |
//! | `pending` | what was changed and not yet committed |
//! | `open` | loading, and which of several cookies counts |
//! | `write` | one operation: from intent to commit, tried again where another request came between |
//! | `step` | what an operation asks of the store, made of one look at the session |
//! | `finish` | what happens after the handler |
//! | `json` | values as JSON |
//! | `protect` | a commit once begun is finished |

mod find;
mod finish;
mod json;
mod life;
mod open;
mod pending;
mod protect;
mod state;
mod step;
mod write;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, SystemTime};

use abide_core::{Handle, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

pub use abide_core::Keep;
pub(crate) use finish::Finish;
pub use life::{LogIn, UserSession};
use state::{Identity, State};
use write::{Intent, Updater};

use crate::cookie::Candidates;
use crate::error::{Error, ErrorKind};
use crate::key::KeyFor;
use crate::shared::Shared;

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
/// reading finds nothing, writing is an error whose [`is_over`](Error::is_over) is true, and no cookie is sent.
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
}

/// When a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Deadlines {
    /// Over at this moment unless it is used before; never later than `absolute`.
    pub idle: SystemTime,
    /// Over at this moment whatever happens.
    pub absolute: SystemTime,
    /// When its user last proved who they are: ask for it again before something that matters.
    pub authenticated_at: Option<SystemTime>,
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
        }))
    }

    pub(crate) fn detached(shared: &Arc<Shared>) -> Self {
        Self::begin(shared, Candidates::default())
    }

    /// The value under `key`, `None` where there is none.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] where it is of another type, [`ErrorKind::Store`] where the session cannot be loaded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// use abide::Key;
    ///
    /// const CART: Key<Vec<String>> = Key::new("cart");
    /// assert_eq!(session.get(CART).await?, None);
    /// session.insert(CART, &vec!["tea".to_owned()])?;
    /// assert_eq!(session.get(CART).await?.unwrap(), ["tea"]);
    /// # Ok(()) }
    /// ```
    pub async fn get<T: DeserializeOwned>(&self, key: impl KeyFor<T>) -> Result<Option<T>, Error> {
        self.open().await?;
        let key = key.name();
        let Some(bytes) = self.state().value(key) else { return Ok(None) };
        json::decode(key, &bytes).map(Some)
    }

    /// Whether there is a value under `key`, of whatever type.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] where the session cannot be loaded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// assert!(!session.contains("cart").await?);
    /// # Ok(()) }
    /// ```
    pub async fn contains(&self, key: &str) -> Result<bool, Error> {
        self.open().await?;
        Ok(self.state().value(key).is_some())
    }

    /// The keys of all values, in order.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] where the session cannot be loaded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.insert("b", &1)?;
    /// session.insert("a", &2)?;
    /// assert_eq!(session.keys().await?, ["a", "b"]);
    /// # Ok(()) }
    /// ```
    pub async fn keys(&self) -> Result<Vec<String>, Error> {
        self.open().await?;
        Ok(self.state().keys())
    }

    /// Sets a value. It is committed after the handler, or by the next method that is awaited and acts.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] where it cannot be written as JSON; [`ErrorKind::TooLate`] where it would be the first of an
    /// empty session, and the response's headers are gone.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.insert("theme", "dark")?;
    /// # Ok(()) }
    /// ```
    pub fn insert<T: Serialize + ?Sized>(&self, key: impl KeyFor<T>, value: &T) -> Result<(), Error> {
        let bytes = json::encode(key.name(), value)?;
        self.touch();
        self.state().insert(key.name(), bytes)
    }

    /// Removes a value. Where there is none, nothing is written and no cookie is sent.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.insert("theme", "dark")?;
    /// session.remove("theme");
    /// assert!(!session.contains("theme").await?);
    /// # Ok(()) }
    /// ```
    pub fn remove(&self, key: &str) {
        self.touch();
        self.state().pending.remove(key);
    }

    /// Removes every value. The session lives on, with its user.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.increment("visits", 1).await?;
    /// session.clear();
    /// assert!(session.keys().await?.is_empty());
    /// # Ok(()) }
    /// ```
    pub fn clear(&self) {
        self.touch();
        self.state().pending.clear();
    }

    /// Changes how long this session may go unused, for the rest of its life; it is part of the stored session. It is
    /// never longer than the absolute deadline allows.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// use std::time::Duration;
    ///
    /// session.log_in("ada").await?;
    /// session.set_idle_timeout(Duration::from_secs(3600)); // "stay signed in"
    /// session.save().await?;
    /// # Ok(()) }
    /// ```
    pub fn set_idle_timeout(&self, timeout: Duration) {
        self.touch();
        self.state().pending.set_idle_timeout(timeout);
    }

    /// Adds `by` to an integer, which counts as zero where it is absent, and answers the sum. Every increment that is
    /// answered has counted once, whatever runs at the same time.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] where the value is no integer, or the sum does not fit an `i64`; otherwise as
    /// [`update`](Session::update).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// assert_eq!(session.increment("visits", 1).await?, 1);
    /// assert_eq!(session.increment("visits", 10).await?, 11);
    /// # Ok(()) }
    /// ```
    pub async fn increment(&self, key: &str, by: i64) -> Result<i64, Error> {
        let mut sum = None;
        self.update(key, |current: Option<i64>| {
            sum = current.unwrap_or(0).checked_add(by);
            sum.unwrap_or_default()
        })
        .await
        .and_then(|_| {
            sum.ok_or_else(|| Error::new(ErrorKind::Value, format!("the sum under {key:?} overflows")))
        })
    }

    /// Replaces a value by what `f` makes of it, and answers the new one. `f` runs again where another request changed
    /// the value in between, so that both are applied, one after the other.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Value`] where the value is of another type; [`ErrorKind::Store`] where the session is over, was
    /// superseded by a login, or the store is out of reach. After
    /// [`Ambiguous`](abide_core::ErrorKind::Ambiguous) the update may have been applied.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// let cart: Vec<String> = session
    ///     .update("cart", |cart: Option<Vec<String>>| {
    ///         let mut cart = cart.unwrap_or_default();
    ///         cart.push("tea".into());
    ///         cart
    ///     })
    ///     .await?;
    /// assert_eq!(cart, ["tea"]);
    /// # Ok(()) }
    /// ```
    pub async fn update<T, F>(&self, key: impl KeyFor<T>, f: F) -> Result<T, Error>
    where
        T: Serialize + DeserializeOwned + Send,
        F: FnMut(Option<T>) -> T + Send,
    {
        let mut updater = Updater::new(key.name(), f);
        self.write(&mut Intent::Update(&mut updater)).await?;
        updater.into_result()
    }

    /// Commits what is pending now. Needed after the response's headers are gone (in a streamed body, say), when
    /// nothing else commits; before, it saves the wait after the handler.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] where the session is over or the store is out of reach; [`ErrorKind::TooLate`] where it
    /// would make a session whose cookie cannot be sent any more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.insert("step", &2)?;
    /// session.save().await?;
    /// # Ok(()) }
    /// ```
    pub async fn save(&self) -> Result<(), Error> {
        self.write(&mut Intent::Save).await
    }

    /// Loads the session again, past every cache: what any server committed before this call is seen.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] where the session cannot be loaded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.fresh().await?;
    /// # Ok(()) }
    /// ```
    pub async fn fresh(&self) -> Result<(), Error> {
        self.reopen().await
    }

    /// Who is signed in, `None` for nobody.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] where the session cannot be loaded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// assert_eq!(session.user().await?, None);
    /// session.log_in("ada").await?;
    /// assert_eq!(session.user().await?.as_deref(), Some("ada"));
    /// # Ok(()) }
    /// ```
    pub async fn user(&self) -> Result<Option<Arc<str>>, Error> {
        self.open().await?;
        Ok(self.state().live().and_then(|live| live.era().user().cloned()))
    }

    /// When the session is over, `None` for an empty one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] where the session cannot be loaded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.log_in("ada").await?;
    /// let deadlines = session.deadlines().await?.unwrap();
    /// assert!(deadlines.idle < deadlines.absolute);
    /// # Ok(()) }
    /// ```
    pub async fn deadlines(&self) -> Result<Option<Deadlines>, Error> {
        self.open().await?;
        let state = self.state();
        Ok(state.live().map(|live| {
            let era = live.era();
            Deadlines {
                idle: era.deadline().into(),
                absolute: era.hard_deadline().into(),
                authenticated_at: era.authenticated_at().map(SystemTime::from),
            }
        }))
    }

    /// What people and APIs may see of the session, `None` for an empty one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] where the session cannot be loaded.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.log_in("ada").await?;
    /// let handle = session.handle().await?.unwrap();
    /// assert_eq!(handle.to_string().len(), 22);
    /// # Ok(()) }
    /// ```
    pub async fn handle(&self) -> Result<Option<Handle>, Error> {
        self.open().await?;
        Ok(self.state().live().map(|live| live.token.key().handle()))
    }

    fn shared(&self) -> &Shared {
        &self.0.shared
    }

    /// A panic under the lock cannot leave the state half changed: user code never runs under it.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
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
            Identity::Live(live) => live.token.key().handle().short(),
        };
        write!(f, "Session({of})")
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let state = self.state.get_mut().unwrap_or_else(PoisonError::into_inner);
        if state.headers_sent && !state.pending.is_empty() {
            let key = state.live().map(|live| *live.token.key());
            self.shared.tell(crate::event::EventKind::ChangesDropped, key);
        }
    }
}
