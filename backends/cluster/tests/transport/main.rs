//! The transport on real sockets of loopback, and its failure detector on a network that is simulated.
//!
//! | file | role |
//! |---|---|
//! | `node` | a transport with its events, certificates, a peer made by hand |
//! | `links` | what goes over a link, and what is told of it |
//! | `strangers` | who does not belong to the cluster |
//! | `bad_peers` | who does, and misbehaves; and a crowd at the door |
//! | `secrets` | files, and what is never shown |
//! | `swim` | verdicts, in simulated time |
//! | `failures` | verdicts, on real links: a killed process, a stopped one |

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod bad_peers;
mod failures;
mod links;
mod node;
mod secrets;
mod strangers;
mod swim;
