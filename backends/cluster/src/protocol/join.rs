//! What a joiner does beside asking to be taken in: nothing counts on it, and it is not ready, until it has its slots.
//! `founding` finds the cluster, `leader` takes the joiner in, `transfer` brings its slots.

use super::node::{Node, Phase};

impl Node {
    /// The cluster that this node wants to be in says something to it.
    pub(crate) fn is_welcome(&mut self) {
        if self.phase == Phase::Joining {
            self.note_cluster();
        }
    }
}
