//! What operators ask of stores that are open.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use abide_core::Error;
use async_trait::async_trait;

use crate::config::ConfigError;

/// What an operator may ask of an open store. An [`Opener`](super::Opener) offers it with
/// [`StoreParts::offer`](super::StoreParts::offer), and [`Sessions`](crate::Sessions) passes the operator's wish on to every
/// store that did.
#[async_trait]
pub trait Operable: Send + Sync + fmt::Debug + 'static {
    /// Reads certificates and secrets again from the files that the store's URL names, and uses them for new connections
    /// from now on. Answers whether the URL names any.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a file that would be refused at start: then the store goes on with what it has.
    async fn renew_identity(&self) -> Result<bool, ConfigError>;

    /// Goes on without servers that are gone for good. Answers how much of the store may lack something, in parts that
    /// the store documents.
    ///
    /// # Errors
    ///
    /// [`Unavailable`](abide_core::ErrorKind::Unavailable) where there is nothing to go on from.
    async fn recover(&self) -> Result<usize, Error>;
}

/// Those that offered it. A clone is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Operables(Arc<Mutex<Vec<Arc<dyn Operable>>>>);

impl Operables {
    pub(super) fn add(&self, store: Arc<dyn Operable>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(store);
    }

    fn all(&self) -> Vec<Arc<dyn Operable>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Every store is asked, also where one of them refuses what it reads.
    pub(crate) async fn renew_identity(&self) -> Result<usize, ConfigError> {
        let (mut renewed, mut refused) = (0, None);
        for store in self.all() {
            match store.renew_identity().await {
                Ok(has_one) => renewed += usize::from(has_one),
                Err(error) => refused = refused.or(Some(error)),
            }
        }
        refused.map_or(Ok(renewed), Err)
    }

    pub(crate) async fn recover(&self) -> Result<Option<usize>, Error> {
        let mut doubtful = None;
        for store in self.all() {
            *doubtful.get_or_insert(0) += store.recover().await?;
        }
        Ok(doubtful)
    }
}
