//! One process id: a node of the protocol with its links, from its start until it is no member any more.
//!
//! **Invariant.** A life never has the id of an earlier one: what that one promised is not known any more.

use bytes::Bytes;
use tokio::sync::{mpsc, watch};

use super::error::OpenError;
use crate::codec;
use crate::protocol::{self, Input, Member, Message, Node, NodeId};
use crate::transport::{self, Event, Transport};

/// What each life is made of.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) protocol: protocol::Settings,
    pub(super) transport: transport::Settings,
}

/// A node with its links.
#[derive(Debug)]
pub(super) struct Life {
    pub(super) node: Node,
    pub(super) transport: Transport,
    pub(super) events: mpsc::Receiver<Event>,
    pub(super) seeds: watch::Receiver<Vec<std::net::SocketAddr>>,
}

impl Plan {
    /// Begins a life under an id of its own. The address of the first one is kept, also where the system chose its port.
    pub(super) async fn begin(&mut self) -> Result<Life, OpenError> {
        let [id, seed] = [random()?, random()?];
        self.transport.me.id = NodeId(id.max(1));
        (self.protocol.seed, self.transport.seed) = (seed, seed);
        let (transport, events) = Transport::open(self.transport.clone()).await?;
        let me = transport.me();
        if self.transport.listen.port() == 0 {
            self.transport.listen.set_port(me.address.port());
        }
        self.transport.me = me;
        self.protocol.me = me;
        let seeds = transport.seeds();
        Ok(Life { node: Node::new(self.protocol.clone()), transport, events, seeds })
    }
}

pub(super) fn random() -> Result<u64, getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
}

impl Life {
    pub(super) fn me(&self) -> Member {
        self.transport.me()
    }

    /// Sends a message. What cannot be sent is lost, as on any network: the protocol asks again.
    pub(super) fn send(&self, to: std::net::SocketAddr, message: &Message) {
        match codec::encode(message) {
            Ok(bytes) => drop(self.transport.send(to, Bytes::from(bytes))),
            Err(error) => tracing::error!(%error, "cluster: a message cannot be written"),
        }
    }
}

/// What an event of the transport is to the protocol; nothing where it need not know.
pub(super) fn input(event: Event) -> Option<Input> {
    match event {
        Event::Message(received) => match codec::decode(&received.bytes) {
            // A link says who is at its other end, so nobody speaks in another's name.
            Ok(message) if message.from == received.from => Some(Input::Message(message)),
            Ok(message) => {
                tracing::warn!(from = ?received.from, says = ?message.from, "cluster: a peer speaks for another");
                None
            }
            Err(error) => {
                tracing::warn!(from = ?received.from, %error, "cluster: a message cannot be read");
                None
            }
        },
        Event::LinkUp(_) => None,
        Event::LinkLost(member) => Some(Input::LinkLost(member.id)),
        Event::Refused(address) => Some(Input::Refused(address)),
        Event::Down(member) => Some(Input::Down(member.id)),
        Event::Up(member) => Some(Input::Up(member.id)),
    }
}
