//! Sessions that abide when servers come and go.
//!
//! A [Tower] layer gives every request a [`Session`]; where the sessions live is one line of configuration: in this
//! process, on the servers of a cluster, or in Redis. On every strategy no update is lost between servers that live,
//! and a logout always wins.
//!
//! ```
//! use abide::{Config, Session};
//! use axum::{routing::get, Router};
//!
//! async fn home(session: Session) -> Result<String, abide::Error> {
//!     Ok(format!("visit {}", session.increment("visits", 1).await?))
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let sessions = Config::load()?.open().await?; // abide.toml, then ABIDE_* variables
//! let app: Router = Router::new().route("/", get(home)).layer(sessions.layer());
//! # Ok(()) }
//! ```
//!
//! # Where to look
//!
//! | type | what it is for |
//! |---|---|
//! | [`Config`] | every setting, from a file, the environment and code; it opens a [`Sessions`] |
//! | [`Sessions`] | one open store: makes layers, tells readiness, shuts down, and serves administrators |
//! | [`SessionLayer`] | the Tower layer: the same type whatever the store |
//! | [`Session`] | what a handler holds: values, login, renewal, logout |
//! | [`Error`] | the one error type of a request, and the response that it becomes |
//! | [`route`] | sticky routing: marks by which a load balancer keeps a client on its server |
//! | [`ready`], [`drain`] | what a load balancer asks, and how a server ends without losing anybody |
//! | [`core`] | the contract for those who write a store |
//! | [`wrappers`] | around any store: a deadline, a limit on what is under way, values encrypted at rest |
//!
//! # Features
//!
//! | feature | default | what it adds |
//! |---|---|---|
//! | `memory` | yes | the scheme `memory:`, sessions in this process |
//! | `redis` | no | the schemes `redis:`, `redis+sentinel:`, `redis+cluster:`, `unix:` and those with TLS, sessions in Redis |
//! | `cluster` | no | the scheme `cluster:`, sessions on the servers themselves, copied to each other |
//! | `axum` | no | [`Session`] as an extractor, [`Error`] as a response |
//! | `encryption` | no | values encrypted at rest: the setting `encryption_key_file`, and `wrappers::Encrypted` |
//! | `testing` | no | `testing`: sessions on a clock that you move, and clients who are signed in, for your own tests |
//!
//! Without any feature this crate is the layer alone, for a store of your own.
//!
//! [Tower]: https://docs.rs/tower

pub mod config;
mod cookie;
pub mod drain;
mod error;
pub mod event;
#[cfg(feature = "axum")]
mod extract;
mod key;
pub mod layer;
pub mod ready;
pub mod registry;
pub mod route;
pub mod session;
mod sessions;
mod shared;
mod sync;
#[cfg(feature = "testing")]
pub mod testing;
mod turns;
pub mod wrappers;

pub use abide_core as core;
pub use abide_core::{CsrfToken, Handle};

pub use config::{Config, ConfigError};
pub use drain::Drain;
pub use error::{Error, ErrorKind};
pub use event::Event;
pub use key::{Key, KeyFor};
pub use layer::SessionLayer;
pub use registry::Registry;
pub use session::{Deadlines, Keep, LogIn, Session, UserSession};
pub use sessions::{Sessions, SessionsBuilder};

/// The README's examples, compiled with the documentation's.
#[cfg(all(doctest, feature = "axum", feature = "memory"))]
#[doc = include_str!("../README.md")]
struct Readme;
