//! The black box: real `node` processes, driven over HTTP as its users would.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod cluster;
mod metrics;
mod promises;
mod races;
mod redis;
mod restarts;
mod settings;
mod tokens;
