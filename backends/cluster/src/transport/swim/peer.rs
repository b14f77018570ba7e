//! Who somebody is to the failure detector.
//!
//! **Invariant.** One process is one address to foca, wherever it listens: whoever starts again is somebody else, so its
//! predecessor is found dead by itself and its verdict says nothing of the new one. A process that was declared down and
//! lives comes back as its own next life.

use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use crate::protocol::{Member, NodeId};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Peer {
    pub(super) id: NodeId,
    pub(super) address: SocketAddr,
    pub(super) life: u32,
}

impl Peer {
    pub(super) fn first(member: Member) -> Self {
        Self { id: member.id, address: member.address, life: 0 }
    }

    pub(super) fn member(self) -> Member {
        Member { id: self.id, address: self.address }
    }
}

impl foca::Identity for Peer {
    type Addr = NodeId;

    fn renew(&self) -> Option<Self> {
        Some(Self { life: self.life.checked_add(1)?, ..*self })
    }

    fn addr(&self) -> NodeId {
        self.id
    }

    fn win_addr_conflict(&self, other: &Self) -> bool {
        (self.life, self.address) > (other.life, other.address)
    }
}
