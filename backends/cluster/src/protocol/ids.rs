//! Who is who: processes, clusters, and the ballots of a key.

use std::fmt;
use std::net::SocketAddr;

use abide_core::Stamp;
use serde::{Deserialize, Serialize};

/// One process for as long as it lives. Whoever starts again has another one: what a process promised and stored is gone
/// with it, so its successor must not be taken for it.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct NodeId(pub u64);

impl NodeId {
    /// Whichever process listens at the address.
    pub const ANY: Self = Self(0);
}

impl fmt::Debug for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "n{:x}", self.0)
    }
}

/// A process and where it listens.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Member {
    /// Which process.
    pub id: NodeId,
    /// Where it listens for its peers.
    pub address: SocketAddr,
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}@{}", self.id, self.address)
    }
}

/// One founding of a cluster. The lesser of two is the older one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ClusterId {
    /// When its founder's clock said that it was founded, in milliseconds since the Unix epoch.
    pub founded: u64,
    /// Random.
    pub nonce: u64,
}

/// The order of compare-and-commits of one key. It is a stamp, so no two proposers make the same one.
pub(crate) type Ballot = Stamp;

/// The next of a deterministic sequence of numbers (splitmix64), for jitter and names; nothing secret comes from it.
#[derive(Debug)]
pub(crate) struct Draws(u64);

impl Draws {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed(self.0)
    }

    /// A number below `bound`, zero where that is zero.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next() % bound }
    }
}

/// Spreads the bits of a number: the finalizer of splitmix64. It is part of the protocol, for placement goes by it.
pub(crate) const fn mixed(mut bits: u64) -> u64 {
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}
