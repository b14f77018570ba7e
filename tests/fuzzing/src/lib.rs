//! What every input must keep, whoever makes the input.
//!
//! A fuzzer (`fuzz/`, `make fuzz`) and an ordinary test (`tests/bounded`) run the same bodies: each takes any bytes, and
//! panics where a claim does not hold.
//!
//! | file | bytes taken for |
//! |---|---|
//! | `cookie_header` | `Cookie` headers of a request, through the whole layer |
//! | `record` | an encoded record, and commits and joins of records |
//! | `envelope` | what Redis holds of a session |
//! | `snapshot` | a snapshot of the memory store, and damage to one |
//! | `frames` | what a peer of the cluster sends: a stream of frames, a greeting, a packet of the failure detector |
//! | `configuration` | a TOML file, variables and a store's URL with a password |
//! | `message` | a message of the cluster, to a node too |
//! | `history` | how bytes become copies of a session |
//! | `memory` | how much a decoder may allocate |

#![allow(clippy::unwrap_used, reason = "a claim that does not hold panics")]

mod configuration;
mod cookie_header;
mod envelope;
mod frames;
mod history;
mod memory;
mod message;
mod record;
mod snapshot;

use std::pin::pin;
use std::task::{Context, Poll, Waker};

pub use configuration::configuration;
pub use cookie_header::cookie_header;
pub use envelope::envelope;
pub use frames::frames;
pub use message::message;
pub use record::record;
pub use snapshot::snapshot;

/// One body, with inputs that are worth starting from.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name: of the fuzz target, and of the directories of its inputs.
    pub name: &'static str,
    /// Checks the claims on one input.
    pub body: fn(&[u8]),
    /// Inputs that get far.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

/// Every body.
pub const TARGETS: [Target; 7] = [
    Target { name: "cookie_header", body: cookie_header, seeds: cookie_header::seeds },
    Target { name: "record", body: record, seeds: record::seeds },
    Target { name: "envelope", body: envelope, seeds: envelope::seeds },
    Target { name: "snapshot", body: snapshot, seeds: snapshot::seeds },
    Target { name: "frames", body: frames, seeds: frames::seeds },
    Target { name: "configuration", body: configuration, seeds: configuration::seeds },
    Target { name: "message", body: message, seeds: message::seeds },
];

/// Runs what never waits: nothing here needs time or a network.
fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("a store in memory answers at once"),
    }
}
