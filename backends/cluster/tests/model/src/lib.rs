//! A model of one key of the cluster protocol, small enough that every order of its steps is looked at.
//!
//! The simulator in `../simulation` runs the code itself, in as many orders as there are seeds. This is the other way round:
//! a few nodes, views and operations, and **all** orders, with every message late or lost. Each action stands for a function
//! of the code in `src/protocol`:
//!
//! | action | code |
//! |---|---|
//! | [`Step::Begin`] | `Node::attempt`: `read`, `write`, `decide` (any ballot that nobody took, for clocks need not agree) |
//! | [`Step::Deliver`] | `Node::on_ask`, `Node::answer`, `Cell`; and `Node::on_reply`, for an answer matters only when it is used |
//! | [`Step::GoOn`] | `read_on`, `write_on`, `decide_on` with `propose`, `store_on`, by the answers of any majority |
//! | [`Step::Choose`] | `Next::Chosen` of `paxos`: views are what they are; that there is one per number is not modelled |
//! | [`Step::Learn`] | `Node::enter`, `take_slots`: the copy of the view before is sealed |
//! | [`Step::Tell`], [`Step::Take`] | `on_pull`, `on_pulled`, `take_if_complete` |
//! | [`Step::Drop`] | `sync_on` |
//! | [`Step::Bury`], [`Step::Acknowledge`], [`Step::Settle`], [`Step::Forget`] | `ask_to_bury`, `on_bury`, `on_settled`, `forget_settled` |
//! | [`Step::Amnesia`] | nothing: a process that begins again has another id |
//!
//! Left out: what only saves bytes (bulk copies, digests), what only makes an operation try again (timers, refusals: a
//! refused question is a lost one), repair (it is a read), and time. A process that dies is one that takes no further step.
//!
//! What must hold, see `checks`: whatever majority somebody asked right now, in whatever view, it would find all that clients
//! were told; and no operation was answered with less than was told before it began.

mod burial;
mod checks;
mod config;
mod configurations;
mod coordinator;
mod model;
mod outcome;
mod owner;
mod state;
mod transfer;

pub use config::{Config, Kind};
pub use configurations::{Named, larger, small};
pub use coordinator::How;
pub use model::Step;
pub use outcome::{Outcome, check};
pub use state::{Ask, Ballot, Held, Nodes, What};
