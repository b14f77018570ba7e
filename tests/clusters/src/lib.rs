//! What clusters of real `node` processes go through, and what must hold of it.
//!
//! `make cluster` runs all of it at length and prints a table, `make soak` an hour of everything mixed; both fail where a
//! promise broke. `tests/` runs the short forms.
//!
//! | file | role |
//! |---|---|
//! | `scenarios` | what is done to whom: killed, replaced, cut off, paused, all of it mixed |
//! | `trial` | a cluster with visitors, and what they met |
//! | `row` | a row of the table: what happened, and which promises broke |
//! | `network` | a network of namespaces in which links are cut |
//! | `memory` | how much memory nodes take |

#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]

mod memory;
mod network;
mod row;
mod scenarios;
mod trial;

pub use network::{Network, enter};
pub use row::Row;
pub use scenarios::{Scenario, run};
