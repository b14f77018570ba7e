//! What nodes say to each other.
//!
//! A message names its sender and, but for those to whoever listens at an address, its receiver: one process each, so
//! nothing that was meant for a process that is no more reaches its successor.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{Changes, CommitRules, ErrorKind, SessionKey, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::{Ballot, ClusterId, Member, NodeId};
use super::replica::{Nack, State};
use super::slots::SlotId;
use super::value::{Digest, Held, Key};
use super::view::View;

/// What a node has of a slot: which generation of each key, and what it holds of that.
pub(crate) type Has = Vec<(Key, Ballot, Digest)>;

/// One message.
#[derive(Clone, Debug)]
pub struct Message {
    /// Who sent it.
    pub from: Member,
    /// For whom it is; [`NodeId::ANY`] where that was not known.
    pub to: NodeId,
    /// The cluster of its sender, `None` before it is in one.
    pub cluster: Option<ClusterId>,
    /// The number of the last view that its sender knows.
    pub view: u64,
    /// The sender's time, in beats.
    pub beat: u32,
    /// The last beat of the receiver that the sender saw: how old its knowledge of the receiver is.
    pub echo: u32,
    /// What is said.
    pub body: Body,
}

/// What is said.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[allow(missing_docs, reason = "each is explained where it is handled")]
pub enum Body {
    /// "I am here."
    Beat {
        wall: Timestamp,
        synced: u64,
    },
    /// "So much do I know of how the operation goes."
    Ask(Ask),
    Reply(Reply),
    Views {
        views: Vec<View>,
    },
    ViewsPlease {
        after: u64,
    },
    Paxos {
        number: u64,
        step: super::paxos::Step,
    },
    /// A member asks the leader to take in or let go.
    Want {
        joins: Vec<Member>,
        leaves: Vec<NodeId>,
    },
    /// The leader's next view: copy what you will own.
    Plan {
        view: View,
        plan: u64,
    },
    Planned {
        plan: u64,
    },
    Pull {
        target: u64,
        parts: Vec<(SlotId, Has)>,
    },
    Pulled {
        target: u64,
        slot: SlotId,
        complete_in: u64,
        entries: Vec<Entry>,
        /// Of keys that are not among the entries, ballots up to this one may have been forgotten.
        floor: Ballot,
    },
    Synced {
        view: u64,
    },
    SyncedPlease {
        view: u64,
    },
    Suspected {
        peer: NodeId,
    },
    Down {
        peers: Vec<NodeId>,
    },
    Roots {
        roots: Vec<(SlotId, Digest)>,
    },
    Differing {
        slots: Vec<(SlotId, Has)>,
    },
    Bury {
        dead: Vec<(Key, Ballot, Digest)>,
        round: u64,
    },
    Buried {
        dead: Vec<Key>,
        round: u64,
    },
    Settled {
        dead: Vec<(Key, Ballot)>,
    },
    Probe {
        round: u64,
        founds: bool,
    },
    Probed {
        round: u64,
        answer: Probed,
    },
    Announce {
        cluster: ClusterId,
        contacts: Vec<Member>,
    },
    Bye,
    /// The leader's digest of all the slots that its receiver shares with it.
    Root {
        root: Digest,
    },
    RootsPlease,
    /// "Which live sessions do you hold in these slots?"
    Scan {
        scan: u64,
        slots: Vec<SlotId>,
    },
    /// All of them, of the slots for which its sender answers.
    Scanned {
        scan: u64,
        slots: Vec<SlotId>,
        keys: Vec<SessionKey>,
    },
    /// Carry this operation out for the sender, who was overtaken at its key.
    Entrust(super::entrust::Entrust),
    Entrusted(super::entrust::Entrusted),
    /// Of a newer version. It is the last, for the places of the others are their numbers on the wire: a new one comes before
    /// it, and none ever moves.
    #[serde(skip)]
    Unknown {
        kind: u32,
    },
}

impl Message {
    /// What kind of message it is: for the simulator.
    #[doc(hidden)]
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match &self.body {
            Body::Ask(ask) => match ask.what {
                What::Read { .. } => "read",
                What::Prepare { .. } => "prepare",
                What::Store { .. } => "store",
                What::Write { .. } => "write",
            },
            Body::Reply(_) => "reply",
            Body::Entrust(_) => "entrust",
            Body::Entrusted(_) => "entrusted",
            Body::Views { .. } => "views",
            Body::Paxos { .. } => "paxos",
            Body::Pull { .. } => "pull",
            Body::Pulled { .. } => "pulled",
            Body::Beat { .. } => "beat",
            Body::Want { .. } => "want",
            Body::Settled { .. } => "settled",
            _ => "other",
        }
    }
}

/// What a node answers to one that wants to found a cluster.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Probed {
    /// It has none, and will not found one before this one had time to.
    Granted,
    /// It may found one itself, or let another one.
    Busy,
    /// There is one.
    Cluster {
        /// Which.
        cluster: ClusterId,
        /// Whether it has a majority.
        serves: bool,
        /// Who is in it.
        contacts: Vec<Member>,
    },
}

/// A question about one key, to one of its owners.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Ask {
    pub(crate) operation: u64,
    pub(crate) round: u32,
    /// In which view the asker counts.
    pub(crate) view: u64,
    pub(crate) key: Key,
    pub(crate) what: What,
}

/// What is asked.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum What {
    Read {
        body: bool,
    },
    Prepare {
        ballot: Ballot,
        has: Option<Digest>,
    },
    Store {
        ballot: Ballot,
        value: Held,
    },
    Write {
        generation: Ballot,
        #[serde(with = "super::wire::changes")]
        changes: Arc<Changes>,
        terms: Terms,
        body: bool,
    },
}

/// By what changes are judged beside the time, which is the judge's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Terms {
    pub(crate) began: Timestamp,
    pub(crate) max_weight: usize,
    pub(crate) value_overhead: usize,
    pub(crate) retry: bool,
}

impl Terms {
    pub(crate) fn rules(&self, now: Timestamp) -> CommitRules {
        CommitRules::at(now).max_weight(self.max_weight).value_overhead(self.value_overhead).retry(self.retry)
    }
}

/// The answer of one owner.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reply {
    pub(crate) operation: u64,
    pub(crate) round: u32,
    pub(crate) view: u64,
    pub(crate) result: Result<State, No>,
}

/// Why an owner has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum No {
    /// It is in another view, or does not count yet, or cannot tell the time.
    NotServing,
    Overtaken(Ballot),
    Refused(#[serde(with = "super::wire::kind")] ErrorKind),
}

impl From<Nack> for No {
    fn from(nack: Nack) -> Self {
        match nack {
            Nack::Overtaken(ballot) => Self::Overtaken(ballot),
            Nack::Refused(kind) => Self::Refused(kind),
        }
    }
}

/// One key of a slot that is copied. No value where the receiver said that it has this one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Entry {
    pub(crate) key: Key,
    pub(crate) generation: Ballot,
    pub(crate) promised: Ballot,
    pub(crate) digest: Digest,
    /// For how many seconds it is as it is.
    pub(crate) age: u32,
    pub(crate) value: Option<Held>,
}

/// Time as a node is given it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Now {
    /// Monotonic, since any moment before the node began.
    pub elapsed: Duration,
    /// What the wall clock shows; it may jump.
    pub wall: Timestamp,
}
