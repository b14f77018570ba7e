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
//! | `servers` | what the store calls |
//! | `terms` | until when, and whether a command may be repeated |
//! | `script` | a script and one call of it |
//! | `node` | one master, whichever server it is at the moment: connects, watches over the connection, refuses meanwhile |
//! | `lanes` | connections that one caller owns at a time, for `WAIT` |
//! | `verdict` | what an error means to the caller |

mod address;
mod lanes;
mod node;
mod options;
mod script;
mod servers;
mod terms;
mod verdict;

pub use address::{Address, AddressError};
pub use options::LinkOptions;
pub use script::Script;
pub use servers::{Acknowledged, Master, Servers};
pub use terms::Terms;
