//! What happens next.

use std::time::Duration;

use abide_cluster::protocol::{Message, NodeId};

use std::net::SocketAddr;

use crate::fault::Fault;
use crate::hub::Wanted;

/// What happens.
#[derive(Debug)]
pub(crate) enum What {
    Tick(usize, NodeId),
    Look(usize, NodeId),
    Arrive(usize, usize, Box<Message>),
    Refused(usize, NodeId, SocketAddr),
    LinkLost(usize, NodeId),
    Begin(usize),
    Strike(Fault),
    Heal,
    Ask(Box<Wanted>),
    /// A process does its own share of what it was asked.
    Rest(usize, NodeId),
}

/// When it happens, and before what else of that moment.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) at: Duration,
    pub(crate) order: u64,
    pub(crate) what: What,
}

impl PartialEq for Event {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.order) == (other.at, other.order)
    }
}
impl Eq for Event {}
impl PartialOrd for Event {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Event {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.at, self.order).cmp(&(other.at, other.order))
    }
}
