//! The failure detector: foca (SWIM), whose packets travel inside the links.
//!
//! | file | role |
//! |---|---|
//! | `peer` | who somebody is to foca |
//! | `machine` | foca as a state machine with a clock: packets and time in, packets and verdicts out |
//! | `timers` | what foca wants to be told later |
//! | `task` | the machine on real links and time |

mod machine;
mod peer;
mod task;
mod timers;

use bytes::Bytes;

pub use machine::{Swim, Verdict};
pub(super) use task::drive;

use crate::protocol::{Member, NodeId};

/// What the failure detector is told.
#[derive(Debug)]
pub(super) enum Input {
    Packet(Bytes),
    LinkUp(Member),
    LinkLost(Member),
    Watch(Vec<Member>),
    Leave,
}

/// What the failure detector holds of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Membership {
    /// Those that it takes for alive, suspects included.
    pub alive: Vec<NodeId>,
    /// Those that did not answer, and have not been given up.
    pub suspects: Vec<NodeId>,
}
