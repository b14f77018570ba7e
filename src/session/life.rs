//! Login, renewal, logout, and a user's other sessions.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use abide_core::{EndOptions, EndReason, EndUserOptions, Handle, Keep, LoadOptions, Page, SessionKey, Token};

use super::Session;
use super::protect::Protected;
use super::state::Identity;
use super::write::{Intent, NewIdentity, NewUser};
use crate::cookie::CookieChange;
use crate::error::Error;
use crate::event::EventKind;
use crate::sessions::Sessions;

/// How long a logout that did not reach the store is tried again, and how often.
const LOGOUT_TRIED_FOR: Duration = Duration::from_secs(60);
const LOGOUT_TRIED_EVERY: Duration = Duration::from_millis(500);

/// A login: who signs in, and which values go along.
///
/// ```
/// use abide::{Keep, LogIn};
///
/// let login = LogIn::new("ada").keep(Keep::Only(vec!["cart".into()]));
/// # let _ = login;
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct LogIn {
    user: Arc<str>,
    keep: Keep,
}

impl LogIn {
    /// `user` signs in, and every value goes along.
    pub fn new(user: impl Into<Arc<str>>) -> Self {
        Self { user: user.into(), keep: Keep::All }
    }

    /// Chooses the values that go along.
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }
}

impl From<&str> for LogIn {
    fn from(user: &str) -> Self {
        Self::new(user)
    }
}

impl From<String> for LogIn {
    fn from(user: String) -> Self {
        Self::new(user)
    }
}

/// One of a user's sessions, as the user may see it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct UserSession {
    /// Names the session in this list, and nowhere else.
    pub handle: Handle,
    /// When it was created.
    pub created: SystemTime,
    /// When it was last used, to within a tenth of its idle timeout.
    pub last_seen: SystemTime,
    /// When its user last proved who they are.
    pub authenticated_at: Option<SystemTime>,
    /// Whether it is the session of this request.
    pub current: bool,
}

impl Session {
    /// Signs a user in: the session goes on under a new token, and the old one is dead at once. What other requests
    /// began to write before is refused, so that nothing planted before the login survives it unseen.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) where another login came first
    /// ([`Superseded`](abide_core::ErrorKind::Superseded)), all sessions of the user were ended meanwhile, the session
    /// is over, or the store is out of reach; [`ErrorKind::TooLate`](crate::ErrorKind::TooLate) where the response's
    /// headers are gone. The user is not signed in then.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.log_in("ada").await?;
    /// assert_eq!(session.user().await?.as_deref(), Some("ada"));
    /// # Ok(()) }
    /// ```
    pub async fn log_in(&self, login: impl Into<LogIn>) -> Result<(), Error> {
        let login = login.into();
        let identity = NewIdentity { user: NewUser::LoggedIn(login.user), keep: login.keep };
        self.write(&mut Intent::Open(&identity)).await
    }

    /// Gives the session a new token, now: for a change of privileges. The old one is dead at once; user, values and
    /// deadlines stay. An empty session stays empty.
    ///
    /// # Errors
    ///
    /// As [`log_in`](Session::log_in).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.insert("role", "admin")?;
    /// session.renew().await?;
    /// # Ok(()) }
    /// ```
    pub async fn renew(&self) -> Result<(), Error> {
        let identity = NewIdentity { user: NewUser::Same, keep: Keep::All };
        self.write(&mut Intent::Open(&identity)).await
    }

    /// Signs the user out and lets the session go on without one, with the values that are kept, under a new token.
    ///
    /// # Errors
    ///
    /// As [`log_in`](Session::log_in).
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// use abide::Keep;
    ///
    /// session.insert("theme", "dark")?;
    /// session.log_in("ada").await?;
    /// session.log_out_user(Keep::Only(vec!["theme".into()])).await?;
    /// assert_eq!(session.user().await?, None);
    /// assert_eq!(session.keys().await?, ["theme"]);
    /// # Ok(()) }
    /// ```
    pub async fn log_out_user(&self, keep: Keep) -> Result<(), Error> {
        let identity = NewIdentity { user: NewUser::Nobody, keep };
        self.write(&mut Intent::Open(&identity)).await
    }

    /// Ends the session, everywhere: no slow request brings it back. The cookie is removed. Writing afterwards makes a
    /// new session with another key.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) where the store is out of reach. The cookie is removed all the
    /// same, and this process goes on trying for a minute.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.log_in("ada").await?;
    /// session.log_out().await?;
    /// assert_eq!(session.user().await?, None);
    /// # Ok(()) }
    /// ```
    pub async fn log_out(&self) -> Result<(), Error> {
        self.touch();
        let _turn = self.0.gate.lock().await;
        let opened = self.open_in_turn().await;
        let live = self.forget();
        if let Err(error) = opened {
            self.end_later(self.0.candidates.tokens().collect());
            return Err(error);
        }
        match live {
            Some(token) => Ok(self.end_everywhere(token).await?),
            None => Ok(()),
        }
    }

    /// The request has no session any more. Answers the token of the one that it had.
    fn forget(&self) -> Option<Token> {
        let mut state = self.state();
        let token = state.live().map(|live| live.token);
        let sent = token.is_some() || self.0.candidates.presented();
        state.identity = Identity::Empty;
        state.logged_out = true;
        state.pending.discard();
        state.cookie = if sent { CookieChange::Remove } else { CookieChange::None };
        token
    }

    async fn end_everywhere(&self, token: Token) -> Result<(), abide_core::Error> {
        let session = self.clone();
        // Also where the client hangs up meanwhile, as it may well do during an outage.
        let call = async move {
            let result = session.end(&token).await;
            if result.is_err() {
                session.end_later(vec![token]);
            }
            result
        };
        Protected::new(call).run(&self.shared().tasks).await
    }

    async fn end(&self, token: &Token) -> Result<(), abide_core::Error> {
        let shared = self.shared();
        let ended = shared.store.end(token.key(), EndReason::LoggedOut, &EndOptions::default()).await?;
        shared.tell_end(EndReason::LoggedOut, *token.key(), ended);
        Ok(())
    }

    /// Goes on trying to end the sessions of these tokens. Each is verified first: those of a request whose session
    /// could not be loaded were not.
    fn end_later(&self, mut tokens: Vec<Token>) {
        for token in &tokens {
            self.shared().tell(EventKind::LogoutDeferred, Some(*token.key()));
        }
        let session = self.clone();
        let until = tokio::time::Instant::now() + LOGOUT_TRIED_FOR;
        self.shared().tasks.spawn(async move {
            while !tokens.is_empty() && tokio::time::Instant::now() < until {
                tokio::time::sleep(LOGOUT_TRIED_EVERY).await;
                tokens = session.end_verified(tokens).await;
            }
            for token in tokens {
                session.shared().tell(EventKind::LogoutLost, Some(*token.key()));
            }
        });
    }

    /// Ends those that verify. Answers those that the store could not be asked about.
    async fn end_verified(&self, tokens: Vec<Token>) -> Vec<Token> {
        let mut left = Vec::new();
        for token in tokens {
            let found = self.shared().store.load(token.key(), &LoadOptions::default()).await;
            // What can be read of a damaged record tells whose it is.
            let found = found.or_else(|mut error| error.take_current().map(Some).ok_or(error));
            let done = match found {
                Ok(Some(loaded)) => self.verify(token, loaded).is_none() || self.end(&token).await.is_ok(),
                Ok(None) => true,
                Err(_) => false,
            };
            if !done {
                left.push(token);
            }
        }
        left
    }

    /// The live sessions of the signed-in user, this one among them; none where nobody is signed in.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) where the store is out of reach.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.log_in("ada").await?;
    /// let mine = session.user_sessions().await?;
    /// assert!(mine.len() == 1 && mine[0].current);
    /// # Ok(()) }
    /// ```
    pub async fn user_sessions(&self) -> Result<Vec<UserSession>, Error> {
        let Some((user, own)) = self.signed_in().await? else { return Ok(Vec::new()) };
        let (mut sessions, mut page) = (Vec::new(), Page::default());
        loop {
            let found = self.shared().store.of_user(&user, &page).await?;
            sessions.extend(found.sessions.iter().map(|session| UserSession {
                handle: session.key.handle(),
                created: session.created.into(),
                last_seen: session.last_seen.into(),
                authenticated_at: session.authenticated_at.map(SystemTime::from),
                current: session.key == own,
            }));
            match found.next {
                Some(last) => page = page.after(Some(last)),
                None => return Ok(sessions),
            }
        }
    }

    /// Ends every other session of the signed-in user, and answers how many; zero where nobody is signed in. A login of
    /// this user that is under way elsewhere is refused.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) where the store is out of reach.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let session = abide::Config::new().open().await?.detached();
    /// session.log_in("ada").await?;
    /// assert_eq!(session.end_others().await?, 0);
    /// # Ok(()) }
    /// ```
    pub async fn end_others(&self) -> Result<u64, Error> {
        let Some((user, own)) = self.signed_in().await? else { return Ok(0) };
        let options = EndUserOptions::default().except(Some(own)).reason(EndReason::EndedByUser);
        Sessions(self.0.shared.clone()).end_all_of(&user, options).await
    }

    /// Ends one of the signed-in user's sessions, by its handle in [`user_sessions`](Session::user_sessions). Answers
    /// whether there was one.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) where the store is out of reach.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let sessions = abide::Config::new().open().await?;
    /// # let (phone, laptop) = (sessions.detached(), sessions.detached());
    /// phone.log_in("ada").await?;
    /// laptop.log_in("ada").await?;
    /// let lost = phone.handle().await?.unwrap();
    /// assert!(laptop.end_one(&lost).await?);
    /// # Ok(()) }
    /// ```
    pub async fn end_one(&self, handle: &Handle) -> Result<bool, Error> {
        let Some((user, _)) = self.signed_in().await? else { return Ok(false) };
        Sessions(self.0.shared.clone()).end_one(&user, handle, EndReason::EndedByUser).await
    }

    async fn signed_in(&self) -> Result<Option<(Arc<str>, SessionKey)>, Error> {
        self.open().await?;
        let state = self.state();
        Ok(state.live().and_then(|live| Some((live.era().user()?.clone(), *live.token.key()))))
    }
}
