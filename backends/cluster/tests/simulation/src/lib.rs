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
//! | `world`, `event` | time, and the order of events |
//! | `process` | how a process begins, is given something, and ends |
//! | `post`, `network` | messages and requests on their way, and what becomes of them |
//! | `strike` | faults strike, and end |
//! | `watch` | who reaches whom, and that there is one view for each number |
//! | `detector` | verdicts about dead peers, as SWIM would give them |
//! | `safety` | which crash is within what the protocol promises to survive |
//! | `hub`, `store` | clients that use the cluster as a store |
//! | `lists` | clients that use the lists of users |
//! | `run`, `checks` | carrying out a scenario, and what must hold |
//! | `director`, `scripts` | scripted runs: what a random one seldom gets to |
//! | `shrink` | a smaller scenario that still fails |
//! | `coverage` | what really happened |
//! | `costs` | messages, bytes, memory and times where nothing is wrong: the command `costs` |

mod checks;
pub mod costs;
mod coverage;
mod detector;
mod director;
mod event;
mod fault;
mod hub;
mod lists;
mod network;
mod post;
mod process;
mod run;
mod safety;
mod scenario;
mod scripts;
mod shrink;
mod store;
mod strike;
mod watch;
mod world;

pub use coverage::Coverage;
pub use fault::Fault;
pub use lists::{Act, ListPlan};
pub use run::{Failure, Outcome, run};
pub use scenario::Scenario;
pub use scripts::{SCRIPTS, Script};
pub use shrink::shrink;
