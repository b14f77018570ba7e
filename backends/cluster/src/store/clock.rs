//! The time that the protocol is given: a monotonic clock, and the wall's.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{Clock, Timestamp};
use tokio::time::Instant;

use crate::protocol::Now;

/// Both clocks of this process.
#[derive(Clone, Debug)]
pub(super) struct Time {
    began: Instant,
    wall: Arc<dyn Clock>,
    /// Where the wall clock is moved by hand: what it showed at first. The monotonic clock goes along, for to the protocol
    /// a wall clock that goes faster is one that jumped, and moves no deadline.
    by_hand: Option<Timestamp>,
}

impl Time {
    pub(super) fn new(wall: Arc<dyn Clock>, is_moved_by_hand: bool) -> Self {
        let by_hand = is_moved_by_hand.then(|| wall.now());
        Self { began: Instant::now(), wall, by_hand }
    }

    /// What the wall clock shows.
    pub(super) fn wall(&self) -> Timestamp {
        self.wall.now()
    }

    /// What requests are told that the wall clock shows: a moment ago, at the most.
    pub(super) fn recent(&self) -> Timestamp {
        self.wall.recent()
    }

    pub(super) fn now(&self) -> Now {
        let wall = self.wall.now();
        let moved = self.by_hand.map_or(Duration::ZERO, |first| wall.since(first));
        Now { elapsed: self.began.elapsed() + moved, wall }
    }
}
