//! What a joiner does beside asking to be taken in: nothing counts on it, and it is not ready, until it has its slots.
//! `founding` finds the cluster, `leader` takes the joiner in, `transfer` brings its slots.

use super::ids::NodeId;
use super::message::Message;
use super::node::{Node, Phase};

impl Node {
    /// The cluster that this node wants to be in says something to it. Others that look for one do not count.
    pub(crate) fn is_welcome(&mut self, message: &Message) {
        if self.phase == Phase::Joining && message.cluster.is_some() {
            self.note_cluster();
        }
    }

    /// A peer goes; or it knows this joiner as one that was in and is out again, before it heard of either.
    pub(crate) fn on_bye(&mut self, from: NodeId) {
        match self.phase {
            Phase::Joining => self.retire(),
            _ => self.on_link_lost(from),
        }
    }
}
