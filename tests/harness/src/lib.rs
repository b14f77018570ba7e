//! What abide's tests share.
//!
//! | file | role |
//! |---|---|
//! | `browser` | an HTTP client with one session cookie |
//! | `jar` | an HTTP client with all its cookies |
//! | `balancers` | HAProxy, nginx and Apache httpd as real processes, over the files of `examples/balancers` |
//! | `ports` | free ports |
//! | `name` | a name whose addresses a test adds while nodes look it up |
//! | `node` | `examples/node` as a real process |
//! | `cluster` | several of them as a cluster, started, stopped, killed and replaced |
//! | `visitors` | people at several servers, who hold every answer against what they were told before |
//! | `redis` | `redis-server` as real processes: single, Sentinel set, Cluster |
//! | `faults` | a store that counts its calls, and whose network fails or hangs on demand |
//! | `schedules` | one scenario under thousands of schedules |
//! | `seed` | the seed of a randomised test |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod balancers;
mod browser;
mod cluster;
mod faults;
mod jar;
mod name;
mod node;
mod ports;
mod redis;
mod schedules;
mod seed;
mod visitors;

pub use balancers::{Balancer, Kind, Member};
pub use browser::{Answer, Browser, Unanswered, http_client};
pub use cluster::{Cluster, Seat};
pub use faults::{Faults, Method};
pub use jar::JarBrowser;
pub use name::Name;
pub use node::{Node, NodeExit};
pub use redis::{Calls, Certificates, Redis, RedisCluster, RedisSettings, SentinelSet};
pub use schedules::explore;
pub use seed::{seed, seeds};
pub use visitors::{Crowd, Findings, Request, Requests, Rotation, Visitors};
