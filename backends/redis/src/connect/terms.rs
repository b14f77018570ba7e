//! Until when an operation may take, and whether it may be repeated.

use std::time::Duration;

use tokio::time::Instant;

/// The terms of one operation.
#[derive(Clone, Copy, Debug)]
pub struct Terms {
    pub(super) deadline: Instant,
    pub(super) read_only: bool,
    /// How many replicas must be connected, or nothing is sent.
    pub(super) needs: usize,
}

impl Terms {
    /// Commands that change nothing: they are sent again within the deadline where a connection breaks.
    #[must_use]
    pub fn read(deadline: Instant) -> Self {
        Self { deadline, read_only: true, needs: 0 }
    }

    /// Commands that change something: sent once. Where the answer is lost they are
    /// [`Ambiguous`](abide_core::ErrorKind::Ambiguous).
    #[must_use]
    pub fn write(deadline: Instant) -> Self {
        Self { deadline, read_only: false, needs: 0 }
    }

    /// Nothing is sent to a master that had fewer replicas at the last heartbeat, 250 ms ago by default: that is
    /// [`Unavailable`](abide_core::ErrorKind::Unavailable). One that does not tell is taken to have enough.
    #[must_use]
    pub fn needs(mut self, replicas: usize) -> Self {
        self.needs = replicas;
        self
    }

    /// When the operation gives up.
    #[must_use]
    pub fn deadline(&self) -> Instant {
        self.deadline
    }

    pub(super) fn remaining(&self) -> Duration {
        self.deadline.saturating_duration_since(Instant::now())
    }
}
