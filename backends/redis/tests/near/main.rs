//! The near-cache on a real server: a read may be old by no more than the bound, and what this process did it sees.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bound;
mod coherence;
mod gate;
mod stage;
mod trips;
