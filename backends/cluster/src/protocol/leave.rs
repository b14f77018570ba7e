//! Leaving: a member asks to be let go, and ends once everybody has what it held.
//!
//! **Invariant.** Who leaves answers for its copies until every member of a later view has all its slots. The same holds for
//! who was evicted and is still there. Who left asks on for what others hold, until its process ends.

use std::time::Duration;

use super::io::Output;
use super::node::{Node, Phase};
use super::steps;

/// How long a process that is no member waits for the others to have what it holds.
const PATIENCE: Duration = Duration::from_secs(60);

impl Node {
    pub(crate) fn leave(&mut self) {
        match self.phase {
            Phase::Member => {
                self.step(steps::LEAVES);
                self.phase = Phase::Leaving;
            }
            Phase::Founding | Phase::Joining => self.retire(),
            Phase::Leaving | Phase::Left => {}
        }
    }

    /// Goes on as a member. Where the next view is on its way without it, it is out all the same.
    pub(crate) fn stay(&mut self) {
        if self.phase == Phase::Leaving {
            self.phase = Phase::Member;
            self.leader.stays(self.me.id);
        }
    }

    pub(crate) fn leave_on(&mut self) {
        if self.phase != Phase::Left {
            return;
        }
        let now = self.now.elapsed;
        let since = *self.left.get_or_insert(now);
        if self.has_handed_over() || now.saturating_sub(since) > PATIENCE {
            self.step(steps::HANDED_OVER);
            self.retire();
        }
    }

    /// Nothing more is to be had of this process.
    pub(crate) fn retire(&mut self) {
        if !std::mem::replace(&mut self.is_retired, true) {
            self.phase = Phase::Left;
            self.copies.clear();
            self.output(Output::Retired);
        }
    }
}
