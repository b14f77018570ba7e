//! Who is signed in, until when, and under which handle people know the session.

use std::sync::Arc;
use std::time::SystemTime;

use abide_core::Handle;

use super::Session;
use crate::error::Error;

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
    /// Who is signed in, `None` for nobody.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) where the session cannot be loaded.
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
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) where the session cannot be loaded.
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
    /// [`ErrorKind::Store`](crate::ErrorKind::Store) where the session cannot be loaded.
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
}
