//! One open store: layers for applications, readiness and shutdown for operators, and what administrators do.
//!
//! | file | role |
//! |---|---|
//! | `mod` | `Sessions` |
//! | `builder` | how one is opened, with parts of one's own |

mod builder;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use abide_core::{
    Drained, EndOptions, EndReason, EndUserOptions, Handle, Metric, Page, Readiness, SessionStore, UserPage,
};

pub use builder::SessionsBuilder;

use crate::config::ConfigError;
use crate::drain::Drain;
use crate::error::Error;
use crate::event::EventKind;
use crate::layer::SessionLayer;
use crate::ready::{ReadyLayer, ReadyService};
use crate::session::Session;
use crate::shared::Shared;

/// One line that says what became of the sessions that only this process held.
fn say(Drained { handed_over, left_behind, .. }: Drained) {
    if left_behind == 0 {
        tracing::info!(target: "abide", handed_over, left_behind, "drained: no session is left behind");
    } else {
        tracing::warn!(target: "abide", handed_over, left_behind, "drained: sessions are left behind, and end with this process");
    }
}

/// One open store with everything that its sessions share.
///
/// Cheap to clone: a clone is the same. One value serves any number of axum applications and hyper services.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use abide::Config;
/// use std::time::Duration;
///
/// let sessions = Config::new().open().await?;
/// let layer = sessions.layer();
/// # let _ = layer;
/// // … serve, until it is time to go:
/// let drained = sessions.shutdown(Duration::from_secs(10)).await?;
/// assert_eq!(drained.left_behind, 0);
/// # Ok(()) }
/// ```
#[derive(Clone, Debug)]
pub struct Sessions(pub(crate) Arc<Shared>);

impl Sessions {
    /// A layer over these sessions.
    pub fn layer(&self) -> SessionLayer {
        SessionLayer::new(self.0.clone())
    }

    /// An empty session outside any request: for tools, and for tests of code that takes a [`Session`]. Nobody gets a
    /// cookie for it.
    #[must_use]
    pub fn detached(&self) -> Session {
        Session::detached(&self.0)
    }

    pub(crate) fn is_draining(&self) -> bool {
        self.0.is_draining()
    }

    pub(crate) fn draining_status(&self) -> http::StatusCode {
        let status = http::StatusCode::from_u16(self.0.config.draining_status);
        status.unwrap_or(http::StatusCode::SERVICE_UNAVAILABLE)
    }

    /// The store, within the [wrappers](crate::wrappers) that the settings ask for.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn SessionStore> {
        &self.0.store
    }

    /// Whether this server may take traffic; if not, why.
    pub async fn ready(&self) -> Readiness {
        if self.0.is_draining() {
            return Readiness::NotReady("draining".into());
        }
        self.0.store.ready().await
    }

    /// What the store counts about itself, for a `/metrics` page beside the counters of [`event`](crate::event)s.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sessions = abide::Config::new().open().await?; // `memory:`
    /// for metric in sessions.metrics() {
    ///     println!("abide_store_{} {}", metric.name(), metric.value());
    /// }
    /// # assert_eq!(sessions.metrics()[0].name(), "sessions");
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub fn metrics(&self) -> Vec<Metric> {
        self.0.store.metrics()
    }

    /// Turns [`ready`](Sessions::ready) off, so that a load balancer sends no new clients. Requests are served as before.
    pub fn begin_shutdown(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// This server's alias in [route marks](crate::route), where it writes any: what the balancer's configuration calls it.
    #[must_use]
    pub fn route(&self) -> Option<&str> {
        self.0.route.as_ref().map(|marks| marks.alias())
    }

    /// What a load balancer asks: a service that answers whether this server may take traffic.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sessions = abide::Config::new().open().await?;
    /// let app: axum::Router = axum::Router::new().route_service("/ready", sessions.ready_service());
    /// # let _ = app;
    /// # Ok(()) }
    /// ```
    pub fn ready_service(&self) -> ReadyService {
        ReadyService::new(self.clone())
    }

    /// As [`ready_service`](Sessions::ready_service), for a service that has no routes of its own: a layer that answers
    /// `GET path` and passes everything else on.
    pub fn ready_layer(&self, path: &'static str) -> ReadyLayer {
        ReadyLayer::new(self.ready_service(), path)
    }

    /// How this server ends: in order, and `within` a time for all of it. See [`Drain`].
    pub fn drain(&self, within: Duration) -> Drain {
        Drain::new(self.clone(), within)
    }

    /// Waits for the commits under way and hands over what only this process holds, in `deadline` altogether. Call it
    /// when the server has finished its requests. The answer says how many sessions went elsewhere, and how many end
    /// with this process.
    ///
    /// # Errors
    ///
    /// What the store says where it could not hand over.
    pub async fn shutdown(&self, deadline: Duration) -> Result<Drained, Error> {
        self.begin_shutdown();
        let until = tokio::time::Instant::now() + deadline;
        self.0.tasks.close();
        if tokio::time::timeout_at(until, self.0.tasks.wait()).await.is_err() {
            let left = self.0.tasks.len();
            tracing::warn!(target: "abide", left, "commits were still under way when the time was up");
        }
        let left = until.saturating_duration_since(tokio::time::Instant::now());
        let drained = self.0.store.drain(left).await?;
        say(drained);
        Ok(drained)
    }

    /// Has the store read its certificates and secrets again from the files that its URL names, for certificates that
    /// were renewed in place. They count for new connections; those that are up stay as they are. Answers how many stores
    /// have any (during a move there are two): none for a store that was [given](SessionsBuilder::store).
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a file that would be refused at start: that store goes on with what it has.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let sessions = abide::Config::new().open().await?; // `memory:`
    /// assert_eq!(sessions.renew_identity().await?, 0);
    /// # Ok(()) }
    /// ```
    pub async fn renew_identity(&self) -> Result<usize, ConfigError> {
        self.0.operables.renew_identity().await
    }

    /// Has a [cluster](crate::registry) go on without servers that are gone for good, when too few are left: **only where
    /// an operator knows that they are**, on one of those that are left, once. Servers that live on elsewhere would be a
    /// second cluster with the same sessions. Answers how many of the 16 384 slots may lack something, for no majority of
    /// their owners is left; `None` where there is no cluster that [was opened](crate::Config) by its URL.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](abide_core::ErrorKind::Unavailable) where this server is in no cluster.
    ///
    /// # Cancellation
    ///
    /// It goes on.
    pub async fn recover(&self) -> Result<Option<usize>, Error> {
        Ok(self.0.operables.recover().await?)
    }

    /// Hands over what the store can hand over while requests are served; nothing where it cannot.
    pub(crate) async fn hand_over(&self, deadline: Duration) -> Result<(), Error> {
        if self.0.store.capabilities().drains_while_serving {
            self.0.store.drain(deadline).await?;
        }
        Ok(())
    }

    /// The live sessions of a user, a page at a time; without sessions an empty page.
    ///
    /// # Errors
    ///
    /// Where the store is out of reach.
    pub async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        Ok(self.0.store.of_user(user, page).await?)
    }

    /// Ends one of a user's sessions, by its handle. Answers whether the user had such a session.
    ///
    /// # Errors
    ///
    /// Where the store is out of reach.
    pub async fn end(&self, user: &str, handle: &Handle) -> Result<bool, Error> {
        self.end_one(user, handle, EndReason::EndedByAdministrator).await
    }

    pub(crate) async fn end_one(
        &self,
        user: &str,
        handle: &Handle,
        reason: EndReason,
    ) -> Result<bool, Error> {
        let mut page = Page::default();
        loop {
            let found = self.0.store.of_user(user, &page).await?;
            if let Some(session) = found.sessions.iter().find(|session| session.key.handle() == *handle) {
                let ended = self.0.store.end(&session.key, reason, &EndOptions::default()).await?;
                self.0.tell_end(reason, session.key, ended);
                return Ok(ended.was_live);
            }
            match found.next {
                Some(last) => page = page.after(Some(last)),
                None => return Ok(false),
            }
        }
    }

    /// Ends every session of a user, and answers how many. A login of this user that is under way is refused.
    ///
    /// # Errors
    ///
    /// Where the store is out of reach.
    pub async fn end_user(&self, user: &str) -> Result<u64, Error> {
        self.end_all_of(user, EndUserOptions::default().reason(EndReason::EndedByAdministrator)).await
    }

    pub(crate) async fn end_all_of(&self, user: &str, options: EndUserOptions) -> Result<u64, Error> {
        let ended = self.0.store.end_user(user, &options).await?;
        self.0.tell(EventKind::EndedMany(options.reason, ended), None);
        Ok(ended)
    }

    /// Ends every session of the store, and answers how many.
    ///
    /// # Errors
    ///
    /// Where the store is out of reach.
    pub async fn end_all(&self) -> Result<u64, Error> {
        let reason = EndReason::EndedByAdministrator;
        let ended = self.0.store.end_all(reason).await?;
        self.0.tell(EventKind::EndedMany(reason, ended), None);
        Ok(ended)
    }
}
