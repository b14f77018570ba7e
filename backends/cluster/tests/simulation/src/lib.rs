//! A seeded simulation of the cluster protocol.
//!
//! A seed makes a [`Scenario`]: how many processes there are, what clients do, which faults strike when. Carried out, it
//! leaves a history of each session, which must be that of one session on one computer, and a cluster that must come to
//! rest with all copies equal. The same seed replays to the letter; one that fails is made smaller.
//!
//! | file | role |
//! |---|---|
//! | `scenario` | what happens in a seed |
//! | `fault` | what may go wrong, and when |
//! | `world` | processes, time, and the order of events |
//! | `network` | what becomes of a message |
//! | `detector` | verdicts about dead peers, as SWIM would give them |
//! | `safety` | which crash is within what the protocol promises to survive |
//! | `hub`, `store` | clients that use the cluster as a store |
//! | `run`, `checks` | carrying out a scenario, and what must hold |
//! | `graves` | ends that one owner misses |
//! | `shrink` | a smaller scenario that still fails |
//! | `coverage` | what really happened |

mod checks;
mod coverage;
mod detector;
mod fault;
mod graves;
mod hub;
mod network;
mod run;
mod safety;
mod scenario;
mod shrink;
mod store;
mod world;

pub use coverage::Coverage;
pub use fault::Fault;
pub use graves::graves;
pub use run::{Failure, Outcome, run};
pub use scenario::Scenario;
pub use shrink::shrink;
