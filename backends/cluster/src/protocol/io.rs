//! What comes into a node, and what comes out.

use std::net::SocketAddr;
use std::sync::Arc;

use abide_core::{
    Changes, CommitOptions, CreateOptions, EndOutcome, EndReason, Error, Loaded, Record, SessionKey,
};

use super::ids::{Member, NodeId};
use super::message::Message;

/// Names a request of the host; its answer carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// What happens to a node.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Input {
    /// Time passed. To be given every 50 ms or so, whatever else happens.
    Tick,
    /// A message came.
    Message(Message),
    /// Somebody wants something of the cluster.
    Request {
        /// Its name.
        id: RequestId,
        /// What is wanted.
        request: Request,
    },
    /// The link to a peer broke.
    LinkLost(NodeId),
    /// Nobody listens at an address: the connection was refused, not merely unanswered.
    Refused(SocketAddr),
    /// The failure detector's verdict: the peer is down.
    Down(NodeId),
    /// The failure detector takes its verdict back.
    Up(NodeId),
    /// The process is about to end: hand over.
    Leave,
    /// An operator says that these members of the last view are all that is left.
    Recover(Vec<NodeId>),
}

/// What may be wanted of the cluster.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Request {
    /// See [`SessionStore::create`](abide_core::SessionStore::create).
    Create {
        /// Under which key.
        key: SessionKey,
        /// The record.
        record: Arc<Record>,
        /// As of the contract.
        options: CreateOptions,
    },
    /// See [`SessionStore::load`](abide_core::SessionStore::load).
    Load {
        /// Which session.
        key: SessionKey,
    },
    /// See [`SessionStore::commit`](abide_core::SessionStore::commit).
    Commit {
        /// Which session.
        key: SessionKey,
        /// What happens to it.
        changes: Arc<Changes>,
        /// As of the contract.
        options: CommitOptions,
    },
    /// See [`SessionStore::end`](abide_core::SessionStore::end).
    End {
        /// Which session.
        key: SessionKey,
        /// Why.
        reason: EndReason,
    },
}

/// What came of a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The session, or that there is none.
    Session(Option<Loaded>),
    /// It is over.
    Ended(EndOutcome),
}

/// What a node wants done.
#[derive(Debug)]
#[non_exhaustive]
pub enum Output {
    /// A message for whoever listens at an address.
    Send {
        /// Where to.
        to: SocketAddr,
        /// What.
        message: Message,
    },
    /// The answer to a request.
    Answer {
        /// Which.
        id: RequestId,
        /// What came of it.
        answer: Result<Answer, Error>,
    },
    /// These are the members now: those to be watched by the failure detector.
    Members(Vec<Member>),
    /// The node handed over what it held, or is no member any more: the process may end, or begin anew with another id.
    Retired,
    /// What was recovered, and what may be missing: slots of which no majority of the owners survived.
    Recovered {
        /// How many slots may lack something.
        doubtful: usize,
    },
}
