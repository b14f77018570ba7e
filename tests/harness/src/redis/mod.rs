//! Real Redis servers, each on a free loopback port in a temporary folder, gone when dropped.
//!
//! | file | role |
//! |---|---|
//! | `server` | one process: start, signals, restart, what it says of itself |
//! | `settings` | how it is started |
//! | `sentinel` | one master, two replicas, three sentinels |
//! | `cluster` | three masters, a replica of each |
//! | `tls` | an authority and a certificate for one test |
//! | `stats` | how often a server ran each command |
//! | `trips` | how many trips something takes |

mod cluster;
mod sentinel;
mod server;
mod settings;
mod stats;
mod tls;
mod trips;

pub use cluster::RedisCluster;
pub use sentinel::SentinelSet;
pub use server::Redis;
pub use settings::RedisSettings;
pub use stats::Calls;
pub use tls::Certificates;
