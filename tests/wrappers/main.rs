//! Wrappers around a store: each is a store that conforms, and adds what it says.
//!
//! | file | role |
//! |---|---|
//! | `stage` | a session behind a wrapper, and what is behind that |
//! | `conformance` | the whole suite, over each wrapper and over all of them |
//! | `timeout` | the deadline |
//! | `limit` | how many are under way, wait, and are refused |
//! | `encrypted` | what is at rest, what is refused, rotation, key files |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod conformance;
mod encrypted;
mod limit;
mod stage;
mod timeout;
