//! Real Redis servers, each on a free loopback port in a temporary folder, gone when dropped.
//!
//! | file | role |
//! |---|---|
//! | `server` | one process: start, signals, restart, what it says of itself |
//! | `stats` | how often a server ran each command |

mod server;
mod stats;

pub use server::{Redis, RedisSettings};
pub use stats::Calls;
