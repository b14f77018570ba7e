//! The races: seeded random interleavings of several clients over one session, checked against a sequential model.
//!
//! A seed makes a [`Plan`]: what each client does, how the clock moves, how often the network fails. Carried out, one
//! turn of one client at a time in the order of the seed, it leaves a [`History`]: calls and answers. The checker then
//! looks for an order of the operations that the model accepts and that real time allows. Where there is none, an update
//! was lost, a logout undone, or an answer was wrong; the [`Violation`] shows the seed, the history, and the smallest plan
//! found that still fails. The same seed replays to the letter.
//!
//! ```
//! # use abide_core::{async_trait, Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome};
//! # use abide_core::{EndReason, EndUserOptions, Error, ErrorKind, LoadOptions, Metric, Loaded, Page, Peek, Readiness, Record};
//! # use abide_core::{ManualClock, SessionKey, SessionStore, UserPage, Version};
//! # #[derive(Debug)] struct YourStore;
//! # impl YourStore { fn on(_: Arc<ManualClock>) -> Self { Self } }
//! # #[async_trait] impl SessionStore for YourStore {
//! #     async fn create(&self, _: &SessionKey, _: Record, _: &CreateOptions) -> Result<Loaded, Error> { no() }
//! #     async fn load(&self, _: &SessionKey, _: &LoadOptions) -> Result<Option<Loaded>, Error> { no() }
//! #     fn peek(&self, _: &SessionKey) -> Peek { Peek::Ask }
//! #     async fn commit(&self, _: &SessionKey, _: Version, _: &Changes, _: &CommitOptions) -> Result<Loaded, Error> { no() }
//! #     fn try_commit(&self, _: &SessionKey, _: Version, _: &Changes, _: &CommitOptions) -> Option<Result<Loaded, Error>> { None }
//! #     async fn end(&self, _: &SessionKey, _: EndReason, _: &EndOptions) -> Result<EndOutcome, Error> { no() }
//! #     async fn of_user(&self, _: &str, _: &Page) -> Result<UserPage, Error> { no() }
//! #     async fn end_user(&self, _: &str, _: &EndUserOptions) -> Result<u64, Error> { no() }
//! #     async fn end_all(&self, _: EndReason) -> Result<u64, Error> { no() }
//! #     async fn ready(&self) -> Readiness { Readiness::Ready }
//! #     fn capabilities(&self) -> Capabilities { Capabilities::none() }
//! #     fn metrics(&self) -> Vec<Metric> { Vec::new() }
//! #     async fn drain(&self, _: std::time::Duration) -> Result<Drained, Error> { no() }
//! # }
//! # fn no<T>() -> Result<T, Error> { Err(ErrorKind::Unsupported.into()) }
//! use std::sync::Arc;
//!
//! use abide_conformance::interleavings::{Stores, check_seeds};
//!
//! let stores = Stores::new(|clock| Arc::new(YourStore::on(clock)));
//! let verdict = check_seeds(&stores, 7, 10);
//! // In a test of yours: verdict.unwrap_or_else(|violation| panic!("{violation}"));
//! # assert!(verdict.is_err(), "this store can do nothing");
//! ```
//!
//! A store over a network has an order of its own: give [`concurrently`] the plan and a [`store_setup`] with a handle for
//! each client, and its history to [`check_history`]. Clients of another kind, which send HTTP, say, implement [`Client`]
//! and [`Calls`].
//!
//! | file | role |
//! |---|---|
//! | `plan`, `rng` | what each client does, made from a seed |
//! | `client` | what a plan is carried out with |
//! | `store_client`, `stores` | clients that do to a store what the layer does |
//! | `network` | turns for others, and a network that fails by a seed |
//! | `script`, `history` | carrying out one client's part, and writing down calls and answers |
//! | `schedule`, `run` | whose turn it is; a plan from its beginning to its end |
//! | `model` | the sequential model of the session |
//! | `steps`, `accept`, `checker` | from the history to steps; which the model allows; the search for an order |
//! | `doubt` | which answers it allows to a commit of which an answer got lost |
//! | `check` | from a seed to a verdict, and to the smallest plan that fails |
//! | `tally` | what really happened |

mod accept;
mod check;
mod checker;
mod client;
mod doubt;
mod history;
mod model;
mod network;
mod plan;
mod rng;
mod run;
mod schedule;
mod script;
mod steps;
mod store_client;
mod stores;
mod tally;

use abide_core::Timestamp;

pub use check::{Driver, Violation, check_history, check_seed, check_seeds};
pub use checker::GIVEN_UP;
pub use client::{Boxed, Calls, Client, Cookie, Handler, Response, View};
pub use network::{Counts, Fault, Network, Post, Traffic};
pub use plan::{
    Abilities, Arithmetic, Call, GRACE, IDLE, KEYS, Kept, LIFE, Plan, Presents, RENEW_EVERY, Request, USERS,
};
pub use rng::Rng;
pub use run::{History, Setup, concurrently, interleaved};
pub use schedule::Pass;
pub use store_client::StoreClient;
pub use stores::{Fresh, Stores, store_setup};
pub use tally::Tally;

/// What the clock shows when a run begins.
pub const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// The request that creates the session before the clients begin.
const FIRST: history::RequestId = 1;
