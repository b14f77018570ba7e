//! Any bytes as a message of the cluster, and what a node makes of it.
//!
//! Reading never panics and takes memory by what is there; what was read can be said again, in the same bytes ever after; and
//! a node that is told it, by whoever, as a member or while it looks for a cluster, does not panic.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use abide_cluster::codec;
use abide_cluster::protocol::{
    Body, Input, Member, Message, Node, NodeId, Now, Output, Request, RequestId, Settings,
};
use abide_core::{
    Changes, CommitOptions, CreateOptions, EndReason, NewRecord, Record, SessionKey, Stamps, Verifier,
};

use crate::history::START;
use crate::memory::bounded_by;

/// An item of a list may be a byte of input, and what is told of a key takes that much.
const FACTOR: u64 = 200;

/// The input is a message as it stands.
pub fn message(input: &[u8]) {
    let Some(message) = bounded_by(FACTOR, input, codec::decode) else { return };
    if !matches!(message.body, Body::Unknown { .. }) {
        let bytes = codec::encode(&message).expect("what was read can be said");
        let again = codec::decode(&bytes).expect("its own encoding");
        assert_eq!(codec::encode(&again).expect("again"), bytes);
    }
    for join in [Vec::new(), vec![address(1), address(2)]] {
        let mut node = node(1, join);
        node.handle(at(0), Input::Tick);
        let cluster = node.view().map(|view| view.cluster);
        for cluster in [message.cluster, cluster] {
            let message = Message { to: node.id(), cluster, view: 1, ..message.clone() };
            node.handle(at(10), Input::Message(message));
            node.handle(at(60), Input::Tick);
        }
        let load = Request::Load { key: SessionKey::from_bytes([1; 16]) };
        node.handle(at(110), Input::Request { id: RequestId(1), request: load });
        node.handle(at(2_000), Input::Tick);
    }
}

fn at(millis: u64) -> Now {
    let elapsed = Duration::from_millis(millis);
    Now { elapsed, wall: START + elapsed }
}

fn address(n: u8) -> SocketAddr {
    ([127, 0, 0, 1], u16::from(n)).into()
}

fn node(n: u8, join: Vec<SocketAddr>) -> Node {
    let mut settings = Settings::new(Member { id: NodeId(n.into()), address: address(n) }, join, n.into());
    (settings.slots, settings.silence) = (4, Duration::from_millis(300));
    Node::new(settings)
}

fn requests() -> Vec<Request> {
    let stamps = Stamps::new(1);
    let key = SessionKey::from_bytes([1; 16]);
    let record =
        Record::create(NewRecord::new(stamps.next(START), [2; 16], Verifier::from_bytes([3; 16]), START));
    let mut changes = Changes::new(stamps.next(START), record.era().expect("it is alive").id());
    changes.set("cart", b"3 books".as_slice());
    vec![
        Request::Create { key, record: Arc::new(record), options: CreateOptions::default() },
        Request::Commit { key, changes: Arc::new(changes), options: CommitOptions::default() },
        Request::Load { key },
        Request::End { key, reason: EndReason::LoggedOut },
    ]
}

/// What three nodes say to each other while they found a cluster, work and come apart.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let mut nodes: Vec<Node> = (1..=3).map(|n| node(n, (1..=3).map(address).collect())).collect();
    let (mut said, mut wanted) = (Vec::new(), requests().into_iter());
    for tick in 0..300 {
        for from in 0..nodes.len() {
            let mut outputs = nodes[from].handle(at(tick * 50), Input::Tick);
            if tick > 150 && tick % 10 == 0 {
                let id = RequestId(tick);
                let asked = wanted
                    .next()
                    .map(|request| nodes[from].handle(at(tick * 50), Input::Request { id, request }));
                outputs.extend(asked.into_iter().flatten());
            }
            if tick == 250 && from == 2 {
                outputs.extend(nodes[from].handle(at(tick * 50), Input::Leave));
            }
            pass_on(&mut nodes, at(tick * 50), outputs, &mut said);
        }
    }
    said.sort_by_key(|bytes| (bytes.len(), bytes.clone()));
    said.dedup_by_key(|bytes| bytes.len());
    said
}

fn pass_on(nodes: &mut [Node], now: Now, outputs: Vec<Output>, said: &mut Vec<Vec<u8>>) {
    let mut left = outputs;
    while let Some(output) = left.pop() {
        let Output::Send { to, message } = output else { continue };
        let bytes = codec::encode(&message).expect("what a node says can be said");
        let arrives = codec::decode(&bytes).expect("its own encoding");
        said.push(bytes);
        left.extend(nodes[usize::from(to.port()) - 1].handle(now, Input::Message(arrives)));
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_inputs_to_start_from_are_messages_of_most_kinds() {
        let name = |bytes: Vec<u8>| {
            let body = format!("{:?}", codec::decode(&bytes).expect("a message").body);
            body.split([' ', '(', '{']).next().unwrap_or_default().to_owned()
        };
        let kinds: BTreeSet<String> = seeds().into_iter().map(name).collect();
        for kind in
            ["Ask", "Reply", "Beat", "Views", "Paxos", "Want", "Plan", "Pull", "Pulled", "Synced", "Probe"]
        {
            assert!(kinds.contains(kind), "{kind} is missing: {kinds:?}");
        }
    }
}
