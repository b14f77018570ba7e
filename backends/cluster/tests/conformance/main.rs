//! The cluster store does what every session store must do, over real links.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod interleavings;
mod stage;
mod suite;
