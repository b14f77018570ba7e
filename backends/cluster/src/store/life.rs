//! One process id: a node of the protocol with its links, from its start until it is no member any more.
//!
//! **Invariant.** A life never has the id of an earlier one: what that one promised is not known any more.

use std::sync::Arc;

use super::error::OpenError;
use crate::codec;
use crate::protocol::{self, Input, Node, NodeId};
use crate::transport::{self, Event, Inbox, Transport};

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
    pub(super) transport: Arc<Transport>,
}

impl Plan {
    /// Begins a life under an id of its own. The address of the first one is kept, also where the system chose its port.
    pub(super) async fn begin(&mut self, inbox: Arc<dyn Inbox>) -> Result<Life, OpenError> {
        let [id, seed] = [random()?, random()?];
        self.transport.me.id = NodeId(id.max(1));
        (self.protocol.seed, self.transport.seed) = (seed, seed);
        let transport = Transport::open(self.transport.clone(), inbox).await?;
        let me = transport.me();
        if self.transport.listen.port() == 0 {
            self.transport.listen.set_port(me.address.port());
        }
        self.transport.me = me;
        self.protocol.me = me;
        Ok(Life { node: Node::new(self.protocol.clone()), transport: Arc::new(transport) })
    }
}

/// How many sessions a life keeps a copy of.
pub(super) fn sessions(life: &Life) -> u64 {
    life.node.holdings(0..u16::MAX).sessions as u64
}

pub(super) fn random() -> Result<u64, getrandom::Error> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes)?;
    Ok(u64::from_le_bytes(bytes))
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
