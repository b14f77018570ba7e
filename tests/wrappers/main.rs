//! Wrappers around a store: each is a store that conforms, and adds what it says.
//!
//! | file | role |
//! |---|---|
//! | `stage` | a session behind a wrapper, and what is behind that |
//! | `conformance` | the whole suite, over each wrapper and over all of them |
//! | `begins_in_the_old` | a store whose sessions all have to move |
//! | `handover` | sessions of a process that ends go on at another server |
//! | `migrating` | sessions move from one store to another |
//! | `timeout` | the deadline |
//! | `limit` | how many are under way, wait, and are refused |
//! | `encrypted` | what is at rest, what is refused, rotation, key files |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod begins_in_the_old;
mod conformance;
mod encrypted;
mod handover;
mod limit;
mod migrating;
mod stage;
mod timeout;
