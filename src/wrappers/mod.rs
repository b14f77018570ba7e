//! Wrappers over any store: a deadline for each operation, a limit on how many are under way, values encrypted at rest.
//!
//! A wrapper is a [`SessionStore`] over another one: it does all that the contract says, passes the whole of
//! `abide-conformance`, and can be put around any store by code, or by configuration around whatever store is opened:
//!
//! | wrapper | settings | what it adds |
//! |---|---|---|
//! | [`Timeout`] | `store_timeout` | an answer in time, also from a store that hangs |
//! | [`ConcurrencyLimit`] | `store_concurrency`, `store_queue` | a bound on what is under way and on what waits |
//! | [`Migrating`] | `store_from` | sessions move from another store into this one as they are used |
//! | `Handover` (feature `memory`) | `memory:?handover=…` | sessions of a process that ends go on at another server |
//! | `Encrypted` (feature `encryption`) | `encryption_key_file` | values that only this application can read |
//!
//! **Order.** `Migrating` and `Handover` are next to the stores that they join. Around them, configuration puts `Encrypted`
//! outside, the limit within it, and the timeout next to the store:
//!
//! - nothing is encrypted or decrypted while a place among the operations is taken;
//! - an operation that waits for its turn was not sent, so where it is refused it surely did not happen, and says so
//!   ([`Unavailable`](crate::core::ErrorKind::Unavailable)); with the timeout outside nobody could tell;
//! - the deadline is that of the store, and an operation that hangs gives its place up when it passes.
//!
//! A wrapper denies `clippy::missing_trait_methods`: the trait has no default methods today, and one that a later
//! version adds cannot be bypassed in silence.
//!
//! ```
//! use abide::core::{SessionStore, SystemClock};
//! use abide::wrappers::{ConcurrencyLimit, Timeout};
//! use abide::Config;
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # #[cfg(feature = "memory")] {
//! let store: Arc<dyn SessionStore> = Arc::new(abide_memory::MemoryStore::new()); // or one of your own
//! let store = Arc::new(Timeout::new(store, Duration::from_secs(1)));
//! let store = Arc::new(ConcurrencyLimit::new(store, 512).queue(2048));
//! let sessions = Config::new().builder().store(store).open().await?;
//! # let _ = sessions;
//! # }
//! # Ok(()) }
//! ```
//!
//! | file | role |
//! |---|---|
//! | `timeout` | the deadline |
//! | `limit` | the limit: the store, and in `lanes` who gets in and who waits |
//! | `migrating` | the move from one store to another |
//! | `handover` | the hand-over: the store, in `moving` how sessions go and come, in `places` where they are, in `envelopes` what they are on the way |
//! | `encrypted` | the encryption: the store, and in `keys`, `key_file` and `seal` its keys and the form of a value |
//! | `configured` | which wrappers the settings ask for |
//!
//! [`SessionStore`]: crate::core::SessionStore

mod configured;
#[cfg(feature = "encryption")]
mod encrypted;
#[cfg(feature = "memory")]
mod handover;
mod limit;
mod migrating;
mod timeout;

pub(crate) use configured::wrapped;
#[cfg(feature = "encryption")]
pub use encrypted::{Encrypted, EncryptionKey, KeyRing};
#[cfg(feature = "memory")]
pub use handover::Handover;
pub use limit::ConcurrencyLimit;
pub use migrating::Migrating;
pub use timeout::Timeout;

use abide_core::{Record, Timestamp};

/// When what made a session as it is began: its login, else its creation. Where it enters another store, an end of all of
/// its user's sessions that came since is about it too.
fn began(record: &Record) -> Timestamp {
    record.era().and_then(|era| era.authenticated_at()).unwrap_or(record.created().at())
}
