//! What a node is told about itself and about how long things may take.

use std::net::SocketAddr;
use std::time::Duration;

use super::ids::Member;
#[cfg(feature = "__variants")]
use super::variant::Variant;

/// Settings of one node. Times are of a monotonic clock, unless they say otherwise.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// This process.
    pub me: Member,
    /// The addresses at which other nodes may be found, this one among them. Without one, and where none is expected, the
    /// node founds a cluster of its own.
    pub join: Vec<SocketAddr>,
    /// How many nodes there will be when a cluster is founded, where that is more than the addresses that are known so far.
    pub expect: usize,
    /// Seeds jitter, ballots and the name of a founded cluster. Random for each process.
    pub seed: u64,
    /// Of a cluster that this node founds: how many copies of a record there are.
    pub copies: u8,
    /// Of a cluster that this node founds: how many slots there are.
    pub slots: u16,
    /// How long an operation may take before it is answered as out of reach.
    pub operation: Duration,
    /// How long one attempt of it may take before it is sent again.
    pub attempt: Duration,
    /// How often a node shows its neighbours that it is there.
    pub beat: Duration,
    /// After how long without a word a peer is suspected.
    pub suspect: Duration,
    /// How long a message that changes something may be on its way before it is refused.
    pub message_age: Duration,
    /// How long an end is remembered at least.
    pub tombstone: Duration,
    /// How often owners compare what they hold.
    pub repair: Duration,
    /// How long everybody must have been silent before a node founds a cluster.
    pub silence: Duration,
    /// How long new owners may take to copy in advance before the view changes without it.
    pub copying: Duration,
    /// For tests: all processes share one clock, which stands still until somebody moves it.
    #[doc(hidden)]
    pub one_clock: bool,
    /// The rule that is left out.
    #[cfg(feature = "__variants")]
    #[doc(hidden)]
    pub variant: Option<Variant>,
}

impl Settings {
    /// The usual times, for a process with a random `seed` that listens at an address and may find others at `join`.
    #[must_use]
    pub fn new(me: Member, join: Vec<SocketAddr>, seed: u64) -> Self {
        Self {
            me,
            join,
            expect: 0,
            seed,
            copies: 3,
            slots: 16_384,
            operation: Duration::from_secs(1),
            attempt: Duration::from_millis(250),
            beat: Duration::from_millis(500),
            suspect: Duration::from_millis(1_500),
            message_age: Duration::from_secs(30),
            tombstone: Duration::from_secs(600),
            repair: Duration::from_secs(30),
            silence: Duration::from_secs(3),
            copying: Duration::from_secs(30),
            one_clock: false,
            #[cfg(feature = "__variants")]
            variant: None,
        }
    }
}
