//! The cluster as a state machine without I/O: time, randomness, messages and verdicts about dead peers are arguments, so
//! the same code runs in simulation and on a network. `README.md` beside this file has the protocol in two pages.
//!
//! | file | role |
//! |---|---|
//! | `node` | one process: what comes in goes to the role it concerns |
//! | `view`, `paxos`, `leader` | the numbered member lists, how the next is chosen, who asks for it |
//! | `slots` | slots and their owners |
//! | `value`, `edit` | what is kept, and what an operation makes of it |
//! | `deeds` | what was decided lately, so that it is not decided twice |
//! | `user_list`, `user_edit` | the same of the list of a user |
//! | `replica` | what an owner holds of a key and promises |
//! | `copies`, `cells` | the slots that a node holds, and whether it counts for them |
//! | `operation`, `attempt`, `states`, `turns` | the coordinator of one operation: what all kinds have in common |
//! | `read`, `write`, `cas`, `storing` | what it does |
//! | `entrust` | one node decides for all where they overtake each other |
//! | `transfer`, `bulk` | a slot moves: seal, join of a sealed majority; the copy in advance |
//! | `founding`, `join`, `leave`, `recover` | how a cluster begins, grows, shrinks, and is saved |
//! | `peers`, `suspicion`, `clock` | who is there, and what time it is |
//! | `expiry`, `repair`, `tombstones` | what owners do by themselves |
//! | `message`, `io`, `settings`, `ids` | what is said, what goes in and out |
//! | `scan` | which sessions there are |
//! | `holdings` | what a node says of itself, for dashboards |
//! | `wire` | how what is said is written |
//! | `inspect`, `steps`, `variant`, `broken` | what the simulator sees of it, and the forms that it must catch |

mod attempt;
mod broken;
mod bulk;
mod cas;
mod cells;
mod clock;
mod copies;
mod deeds;
mod edit;
mod entrust;
mod expiry;
mod founding;
mod holdings;
mod ids;
mod inspect;
mod io;
mod join;
mod leader;
mod leave;
mod message;
mod node;
mod operation;
mod paxos;
mod peers;
mod read;
mod recover;
mod repair;
mod replica;
#[cfg(test)]
pub(crate) mod samples;
mod scan;
mod settings;
mod slots;
mod states;
mod steps;
mod storing;
mod suspicion;
mod tombstones;
mod transfer;
mod turns;
mod user_edit;
mod user_list;
mod value;
mod variant;
mod view;
mod wire;
mod write;

pub use holdings::{Duties, Events, Holdings};
pub use ids::{ClusterId, Member, NodeId};
#[doc(hidden)]
pub use inspect::SlotReport;
pub use io::{Answer, Input, Output, Request, RequestId};
pub use message::{Body, Message, Now};
pub use node::{Node, Phase};
#[doc(hidden)]
pub use replica::{Body as StateBody, State};
pub use settings::Settings;
#[cfg(feature = "__variants")]
#[doc(hidden)]
pub use steps::STEPS;
pub use user_edit::{Login, UserAnswer, UserEdit, Whose};
pub use user_list::{Kind, Listed, MAX_LOGINS, UserList};
pub use value::Key;
#[doc(hidden)]
pub use value::Value;
#[cfg(feature = "__variants")]
#[doc(hidden)]
pub use variant::Variant;
pub use view::View;
