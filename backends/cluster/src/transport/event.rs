//! What a transport tells.

use std::net::SocketAddr;

use bytes::Bytes;
use tokio::sync::OwnedSemaphorePermit;

use crate::protocol::Member;

/// Something that happened. Whoever takes them gives them to the protocol:
///
/// | event | input of the protocol |
/// |---|---|
/// | `Message` | `Input::Message`, decoded |
/// | `LinkLost` | `Input::LinkLost` |
/// | `Refused` | `Input::Refused` |
/// | `Down`, `Up` | `Input::Down`, `Input::Up` |
#[derive(Debug)]
#[non_exhaustive]
pub enum Event {
    /// Bytes from a peer.
    Message(Received),
    /// A link to a peer is up.
    LinkUp(Member),
    /// A link to or from a peer broke.
    LinkLost(Member),
    /// Nobody listens at an address: the system there refused the connection. An address that merely does not answer
    /// is never told.
    Refused(SocketAddr),
    /// The failure detector's verdict: the peer is down.
    Down(Member),
    /// The failure detector found a peer, or takes its verdict back.
    Up(Member),
}

/// Bytes from a peer. They take their part of [`Limits::received_bytes`](super::Limits::received_bytes) until this is
/// dropped.
#[derive(Debug)]
pub struct Received {
    /// Who sent them: what it said of itself when the link was made.
    pub from: Member,
    /// The bytes that were given to [`Transport::send`](super::Transport::send).
    pub bytes: Bytes,
    pub(super) _room: OwnedSemaphorePermit,
}
