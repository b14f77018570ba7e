//! The contract behind [`abide`](https://docs.rs/abide): all that a session store needs, and nothing else.
//!
//! A session is a [`Record`]; what a request did to it is a [`Changes`]; a [`SessionStore`] keeps records and
//! merges changes into them. Everything here is plain data and plain functions: no framework, no runtime and no
//! public time crate, so that a store built on it changes only when the contract does.
//!
//! | module | what it holds |
//! |---|---|
//! | [`token`] | the token of the cookie, and the names of a session that derive from it |
//! | [`csrf`] | the token against cross-site requests |
//! | [`time`], [`entropy`] | the clock and the random source, both injected |
//! | [`name`] | the names of values |
//! | [`stamp`] | the hybrid logical clock that orders writes |
//! | [`record`], [`changes`] | the state of a session, what a request did to it, and how the two merge |
//! | [`codec`] | the bytes of a record at rest and on the wire |
//! | [`store`] | the [`SessionStore`] trait with its arguments and answers |
//! | [`error`] | the one error type of stores |
//!
//! ```
//! use abide_core::{Changes, NewRecord, Record, Stamps, Timestamp, Token};
//! use std::time::Duration;
//!
//! let now = Timestamp::from_millis(1_000);
//! let stamps = Stamps::new(7);
//! let token = Token::from_bytes([1; 32]);
//! let record = Record::create(
//!     NewRecord::new(stamps.next(now), [9; 16], token.verifier(), now)
//!         .idle_timeout(Duration::from_secs(60))
//!         .hard_deadline(now + Duration::from_secs(3600)),
//! );
//! let mut changes = Changes::new(stamps.next(now), record.era().unwrap().id());
//! changes.set("cart", b"[1]".as_slice());
//!
//! let record = record.commit(&changes, &abide_core::CommitRules::at(now)).unwrap().unwrap();
//! assert_eq!(record.value("cart").as_deref(), Some(b"[1]".as_slice()));
//! ```

pub mod changes;
pub mod codec;
pub mod csrf;
pub mod entropy;
pub mod error;
pub mod name;
pub mod record;
pub mod stamp;
pub mod store;
pub mod time;
pub mod token;
#[doc(hidden)]
pub mod users;

#[doc(no_inline)]
pub use async_trait::async_trait;

pub use changes::{Changes, Keep, NewEra, ValueChange};
pub use csrf::CsrfToken;
pub use entropy::{Entropy, SeededEntropy, SystemEntropy};
pub use error::{Error, ErrorKind};
pub use name::Name;
pub use record::{CommitRules, EndReason, Ended, Era, EraId, NewRecord, Record, SecretState, Secrets};
pub use stamp::{Stamp, Stamps};
pub use store::{
    Capabilities, CommitOptions, CreateOptions, Drained, Durability, EndOptions, EndOutcome, EndUserOptions,
    LoadOptions, Loaded, Metric, MetricKind, Page, Peek, Readiness, SessionStore, UserPage, UserSession,
    Version,
};
pub use time::{Clock, ManualClock, SystemClock, Timestamp};
pub use token::{Handle, Secret, SessionKey, Token, TokenError, Verifier};
