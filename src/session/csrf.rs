//! The token against cross-site requests.

use abide_core::CsrfToken;

use super::Session;
use super::write::Intent;
use crate::error::{Error, ErrorKind};
use crate::event::EventKind;

impl Session {
    /// A token for the pages of this session, to put into each form (as a hidden field) or to hand to scripts (which send
    /// it in a header), and to check with [`verify_csrf`](Session::verify_csrf).
    ///
    /// It is good until the session ends or gets a new identity: a login, a renewal by hand, and the user's departure make
    /// every older token worthless; a periodic renewal does not. Each call answers another text, so that compression gives
    /// nothing away.
    ///
    /// An empty session is stored now, so that the login form of a visitor is protected too. Ask only for pages that have
    /// a form.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`] where the session is over or the store is out of reach; [`ErrorKind::TooLate`] where the
    /// session is empty and the response's headers are gone.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// let token = session.csrf_token().await?;
    /// let form = format!(r#"<form method="post"><input type="hidden" name="csrf" value="{token}">…</form>"#);
    /// # let _ = form;
    /// # Ok(()) }
    /// ```
    pub async fn csrf_token(&self) -> Result<CsrfToken, Error> {
        self.open().await?;
        if self.state().live().is_none() {
            self.write(&mut Intent::Begin).await?;
        }
        let era = self.state().live().map(|live| live.era().id());
        // It ended since, by another clone of this session.
        let era = era.ok_or(abide_core::ErrorKind::Ended)?;
        Ok(era.csrf_token(&*self.shared().entropy)?)
    }

    /// Checks the token that a form or a script sent: call it before anything that a request changes.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::CsrfToken`] where it is none of this session's, which answers 403; [`ErrorKind::Store`] where the session
    /// cannot be loaded. Never go on after an error.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// let token = session.csrf_token().await?;
    /// session.verify_csrf(token.as_str()).await?;
    ///
    /// let error = session.verify_csrf("made up").await.unwrap_err();
    /// assert_eq!(error.kind(), abide::ErrorKind::CsrfToken);
    ///
    /// session.log_in("ada").await?;
    /// assert!(session.verify_csrf(token.as_str()).await.is_err());
    /// # Ok(()) }
    /// ```
    pub async fn verify_csrf(&self, token: &str) -> Result<(), Error> {
        self.open().await?;
        let (good, key) = {
            let state = self.state();
            let live = state.live();
            (
                live.is_some_and(|live| live.era().id().verifies_csrf(token)),
                live.map(|live| *live.token.key()),
            )
        };
        if good {
            return Ok(());
        }
        self.shared().tell(EventKind::CsrfRefused, key);
        Err(Error::new(ErrorKind::CsrfToken, "the request's CSRF token is none of this session's"))
    }
}
