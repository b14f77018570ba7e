//! Reading and writing values.

use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::write::{Intent, Updater};
use super::{Session, json};
use crate::error::{Error, ErrorKind};
use crate::key::KeyFor;

impl Session {
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
}
