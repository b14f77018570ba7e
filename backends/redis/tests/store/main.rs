//! What the Redis store claims beyond the contract, on real servers.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod combining;
mod deadlines;
mod ended;
mod expiry;
mod old;
mod peers;
mod replicas;
mod rights;
mod sizes;
mod stage;
mod trips;
mod users;
