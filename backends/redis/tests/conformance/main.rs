//! The Redis store does what every session store must do, on real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod stage;
mod suite;
