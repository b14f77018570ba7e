//! Values encrypted at rest.

mod key_file;
mod keys;
mod seal;

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Entropy, Error, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, SystemEntropy, UserPage, Version,
};
use async_trait::async_trait;

pub use keys::{EncryptionKey, KeyRing};
use seal::OVERHEAD;

/// A store that sees values only encrypted: whoever reads a dump of it, its backups or its traffic learns no value.
///
/// Each value is encrypted on its own with XChaCha20-Poly1305 under a random nonce of 24 bytes, which needs no counter
/// to be kept, so any number of servers can encrypt under one key. The tag covers the session's key and the value's
/// name: a value that is copied to another session, or to another name of the same one, does not decrypt.
///
/// **What is not encrypted**: the user, the times and deadlines, the names of values, how long each is, and the
/// verifiers of secrets, which are hashes. **What is not prevented**: whoever can write to the store can put back what
/// the same session had under the same name before, or take it away.
///
/// **Keys.** See [`KeyRing`]. Values under an older key of the ring are read as before, and are rewritten under the
/// current one when they are next written.
///
/// **A value that does not decrypt** (its key is not in the ring, it was changed, it is not encrypted at all) makes
/// `load` answer [`Corrupt`](crate::core::ErrorKind::Corrupt), naming the value and the key's id, and `peek` answer
/// that it must be asked; the error carries what else can be read of the record, so that its owner can log out. Nothing
/// is lost: the stored bytes stay, and are read again once the key is back. `commit` merges as ever; values that it
/// does not touch stay as they are, byte for byte, and one that it sets or removes is whole again. Where another one of
/// the session still does not decrypt, its answer is `Corrupt` as well, although the changes are stored. Ends and lists
/// need no value, and work. So encrypt from the start, or with an empty store: sessions that were stored before are
/// `Corrupt`, for a store that took plain values too would take those of an attacker.
///
/// **Limits on size** count values as they are without encryption, on every store that judges by
/// [`CommitOptions::rules`]: at rest, each takes 45 bytes more.
///
/// **Cost.** A `peek` or `load` copies the record and decrypts every value in it.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(feature = "memory")] {
/// use abide::core::SystemEntropy;
/// use abide::wrappers::{Encrypted, EncryptionKey, KeyRing};
/// use abide::Config;
/// use std::sync::Arc;
///
/// let keys = KeyRing::new(EncryptionKey::generate(&SystemEntropy)?); // or KeyRing::from_file
/// let store = Encrypted::new(Arc::new(abide_memory::MemoryStore::new()), keys);
/// let sessions = Config::new().builder().store(Arc::new(store)).open().await?;
/// # let _ = sessions;
/// # }
/// # Ok(()) }
/// ```
#[derive(Debug)]
#[must_use]
pub struct Encrypted {
    store: Arc<dyn SessionStore>,
    keys: KeyRing,
    entropy: Arc<dyn Entropy>,
}

impl Encrypted {
    /// Encrypts the values of `store` with `keys`.
    pub fn new(store: Arc<dyn SessionStore>, keys: KeyRing) -> Self {
        Self { store, keys, entropy: Arc::new(SystemEntropy) }
    }

    /// Another random source than the system's. **For tests**: a nonce that comes twice gives values away.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    fn seal(&self, key: &SessionKey, name: &str, value: &[u8]) -> Result<Arc<[u8]>, Error> {
        self.keys.seal(key, name, value, &*self.entropy)
    }

    fn sealed(&self, key: &SessionKey, changes: &Changes) -> Result<Changes, Error> {
        changes.map_values(|name, value| self.seal(key, name, value))
    }

    fn opened(&self, key: &SessionKey, stored: Loaded) -> Result<Loaded, Error> {
        if values_of(&stored.record) == 0 {
            return Ok(stored);
        }
        let unseal = |name: &str, bytes: &[u8]| self.keys.unseal(key, name, bytes);
        let opened = stored
            .record
            .map_values(|name, bytes| unseal(name, bytes).map(Some).map_err(|damage| damage.of(name)));
        match opened {
            Ok(record) => Ok(stored.with_record(Arc::new(record))),
            Err(error) => {
                let Ok(legible) =
                    stored.record.map_values(|name, bytes| Ok::<_, Infallible>(unseal(name, bytes).ok()));
                Err(error.with_current(Loaded::new(Arc::new(legible), stored.version)))
            }
        }
    }

    /// An error with the record that it carries opened; without one that cannot be.
    fn opened_within(&self, key: &SessionKey, mut error: Error) -> Error {
        match error.take_current().map(|stored| self.opened(key, stored)) {
            Some(Ok(current)) => error.with_current(current),
            _ => error,
        }
    }

    fn answered(&self, key: &SessionKey, answer: Result<Loaded, Error>) -> Result<Loaded, Error> {
        match answer {
            Ok(stored) => self.opened(key, stored),
            Err(error) => Err(self.opened_within(key, error)),
        }
    }
}

/// The options as the store behind judges by them.
fn at_rest(options: &CommitOptions) -> CommitOptions {
    options.value_overhead(options.value_overhead.saturating_add(OVERHEAD))
}

fn values_of(record: &Record) -> usize {
    record.era().map_or(0, |era| era.keys().count())
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SessionStore for Encrypted {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        let sealed = record.map_values(|name, value| self.seal(key, name, value).map(Some))?;
        let added = values_of(&record) * OVERHEAD;
        let options = options.max_weight(options.max_weight.saturating_add(added));
        let answer = self.store.create(key, sealed, &options).await;
        self.answered(key, answer)
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        match self.store.load(key, options).await {
            Ok(stored) => stored.map(|stored| self.opened(key, stored)).transpose(),
            Err(error) => Err(self.opened_within(key, error)),
        }
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        match self.store.peek(key) {
            Peek::Found(stored) => self.opened(key, stored).map_or(Peek::Ask, Peek::Found),
            other => other,
        }
    }

    async fn commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        let sealed = self.sealed(key, changes)?;
        let answer = self.store.commit(key, version, &sealed, &at_rest(options)).await;
        self.answered(key, answer)
    }

    fn try_commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        // A store that always waits makes this work for nothing: little beside the waiting.
        let sealed = match self.sealed(key, changes) {
            Ok(sealed) => sealed,
            Err(error) => return Some(Err(error)),
        };
        let answer = self.store.try_commit(key, version, &sealed, &at_rest(options))?;
        Some(self.answered(key, answer))
    }

    async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        self.store.end(key, reason, options).await
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        self.store.of_user(user, page).await
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        self.store.end_user(user, options).await
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        self.store.end_all(reason).await
    }

    async fn ready(&self) -> Readiness {
        self.store.ready().await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn metrics(&self) -> Vec<Metric> {
        self.store.metrics()
    }

    async fn drain(&self, deadline: Duration) -> Result<Drained, Error> {
        self.store.drain(deadline).await
    }
}
