//! What a transport tells.

use std::fmt;
use std::net::SocketAddr;

use bytes::Bytes;

use crate::protocol::Member;

/// Who takes what a transport tells.
///
/// The tasks that read from peers call it themselves, so that no other task has to be woken for a message; several may call
/// at once. Such a task reads nothing more, from any of its peers, until the call returns: what came in takes no room of its
/// own.
pub trait Inbox: fmt::Debug + Send + Sync + 'static {
    /// Takes all the events: what one peer sent, in its order. It must not wait for anything that takes long, nor for any
    /// task of the transport.
    fn take(&self, events: &mut Vec<Event>);
}

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

/// Bytes from a peer.
#[derive(Debug)]
pub struct Received {
    /// Who sent them: what it said of itself when the link was made.
    pub from: Member,
    /// The bytes that were given to [`Transport::send`](super::Transport::send).
    pub bytes: Bytes,
}
