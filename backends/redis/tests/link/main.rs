//! The link to real servers: single, Sentinel set and Cluster; killed, hung and back.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod addresses;
mod cluster;
mod down;
mod fake;
#[cfg(feature = "pool")]
mod pool;
mod sentinel;
mod single;
mod stage;
mod ways;
