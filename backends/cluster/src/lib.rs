//! Sessions on the servers of a cluster, in no other process.
//!
//! Each session is kept by a few of the servers (three, unless told otherwise), whatever the number of servers. A write is
//! acknowledged once a majority of those has it, and a read asks a majority, so an acknowledged write survives the crash of
//! any one of three, and a session that ended stays ended.
//!
//! [`codec`] has the bytes of what the servers say to each other.
//! [`protocol`] is the whole of it without I/O: a state machine to which time, randomness, messages and verdicts about
//! dead peers are arguments. It runs in the simulator as it runs on a network.
//!
//! | feature | what it adds |
//! |---|---|
//! | `transport` | the modules `transport` (links to peers over TCP and TLS, failure detection, discovery) and `store` (the session store) |

pub mod codec;
pub mod protocol;
#[cfg(feature = "transport")]
pub mod store;
#[cfg(feature = "transport")]
pub mod transport;
