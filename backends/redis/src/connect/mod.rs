//! The connections to Redis: one interface over a single server, a Sentinel set and a Cluster.
//!
//! [`Servers`] sends commands that concern one key, each with a deadline, and says of each that failed whether it may have
//! happened. It never fails to open because a server is away, finds the new master after a failover, and refuses within
//! microseconds while there is none.
//!
//! | file | role |
//! |---|---|
//! | `address` | where the servers are: the part of a URL that names them |
//! | `options` | how to talk to them |
//! | `watcher` | who hears what happens to the shared connections |
//! | `servers` | what the store calls |
//! | `terms` | until when, and whether a command may be repeated |
//! | `script` | a script |
//! | `exchange` | from commands to their replies: which master, redirections, what may be sent again |
//! | `verdict` | what an error means: was anything written, who should be asked next |
//! | `master` | one master: its shared connection, and its lanes |
//! | `lanes` | connections that one caller owns at a time, for `WAIT` |
//! | `pool`, `no_pool` | connections of a pool that the application brought |
//! | `node` | the shared connection of a master, whichever server that is: connects again, refuses meanwhile |
//! | `link` | one connection to one server, and its health |
//! | `pause` | a server that refuses everybody is asked in the background |
//! | `batch` | commands that are asked for at the same time go together |
//! | `backoff` | how long to wait before the next attempt |
//! | `sentinel` | who the master is, by the sentinels |
//! | `cluster`, `map` | which master has a slot |
//! | `target` | one server, and how to reach it |
//!
//! # An outage
//!
//! A connection is given up where it breaks, where its server says that it is no master, after three heartbeats or three
//! operations without an answer, or where the sentinels name another master. From then on operations wait for the next
//! connection for as long as [`LinkOptions::patience`] says, and no longer: afterwards each is refused at once. One task
//! for each master looks for it, however many wait. The first connection that answers to a greeting ends the outage.
//!
//! A master of a Cluster that is down answers, and refuses. That is an outage as any other: operations wait as long, and are
//! refused here afterwards. In the background one question every 20 ms finds its end, so that no operation is held up for the
//! sake of that.
//!
//! Nothing that may write is sent twice, but where the server said that it did nothing.

mod address;
mod backoff;
mod batch;
mod cluster;
mod exchange;
mod lanes;
mod link;
mod map;
mod master;
mod node;
mod options;
mod pause;
#[cfg(feature = "pool")]
mod pool;
#[cfg(not(feature = "pool"))]
#[path = "no_pool.rs"]
mod pool;
mod script;
mod sentinel;
mod servers;
mod target;
mod terms;
mod verdict;
mod watcher;

pub use address::{Address, AddressError};
pub use master::Master;
pub use options::LinkOptions;
pub use script::Script;
pub use servers::{Acknowledged, Servers};
pub use terms::Terms;
pub use watcher::{LinkEvent, LinkNumber, Watcher};
