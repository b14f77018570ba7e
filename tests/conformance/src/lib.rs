//! What every session store of [`abide`](https://docs.rs/abide) must do, as cases that any store can run.
//!
//! Each [`Case`] holds sentences of the documentation of [`SessionStore`], or a row of the table of races, and
//! its name is the claim. A case gets a fresh, empty store on a clock that it moves itself, so nothing waits for real
//! time. [`run`] runs them all and reports every one that failed; [`cases`] lists them for those who want a test each.
//!
//! ```
//! # use abide_core::{async_trait, Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome};
//! # use abide_core::{EndReason, EndUserOptions, Error, ErrorKind, LoadOptions, Metric, Loaded, Page, Peek, Readiness, Record};
//! # use abide_core::{SessionKey, SessionStore, UserPage, Version};
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
//! use abide_conformance::Subject;
//! use abide_core::{ManualClock, Timestamp};
//!
//! async fn fresh() -> Subject {
//!     let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
//!     Subject::new(YourStore::on(clock.clone()), clock)
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let report = abide_conformance::run(fresh).await;
//! // In a test of yours: report.assert();
//! # assert!(report.failed().count() > 0);
//! # });
//! ```
//!
//! A store on a server cannot be on a fake clock as a whole. Give it the [`ManualClock`](abide_core::ManualClock) for
//! what it judges itself, or implement [`Time`] and say how its time moves; where it cannot, the cases that need it
//! are reported as skipped. More handles on the same sessions (another clone, another process's connection, another
//! node) are given with [`Subject::handle`], a way to cut the store off with [`Subject::outage`].
//!
//! | file | role |
//! |---|---|
//! | `subject` | the store under test, its time, and what else may be said of it |
//! | `case` | a case, how it passes and fails |
//! | `run`, `report` | running all of them, and what came of it |
//! | `stage` | what the cases are written with |
//! | `together` | several futures at once, on no runtime in particular |
//! | `cases` | the cases, a file for each part of the contract |
//! | [`interleavings`] | seeded random interleavings, checked against a sequential model |
//!
//! [`SessionStore`]: abide_core::SessionStore

mod case;
mod cases;
pub mod interleavings;
mod report;
mod run;
mod stage;
mod subject;
mod together;

pub use case::{Case, Outcome};
pub use cases::cases;
pub use report::{Finding, Report};
pub use run::run;
pub use subject::{Outage, Spawner, Subject, Task, Time};
