//! What comes into a node, and what comes out.

use std::net::SocketAddr;
use std::sync::Arc;

use abide_core::{
    Changes, CommitOptions, CreateOptions, EndOutcome, EndReason, Error, Loaded, Record, SessionKey, Stamp,
};

use super::ids::{Member, NodeId};
use super::message::Message;
use super::user_edit::{UserAnswer, UserEdit, Whose};
use super::user_list::UserList;

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
    /// Somebody wants something of the cluster. What this node has to do for it as one of those that are asked is put off: to be
    /// followed by [`Rest`](Self::Rest).
    Request {
        /// Its name.
        id: RequestId,
        /// What is wanted.
        request: Request,
    },
    /// What came of a request is on its way to the others: now to what was put off. Any other input does that as well.
    Rest,
    /// The link to a peer broke.
    LinkLost(NodeId),
    /// Nobody listens at an address: the connection was refused, not merely unanswered.
    Refused(SocketAddr),
    /// Where other nodes may be found is looked up again: see [`Settings::join`](super::Settings::join).
    Seeds(Vec<SocketAddr>),
    /// The failure detector's verdict: the peer is down.
    Down(NodeId),
    /// The failure detector takes its verdict back.
    Up(NodeId),
    /// The process is about to end: hand over.
    Leave,
    /// It does not end after all, unless it was let go already.
    Stay,
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
    /// Ends a session where it is that user's, at one moment. Answers [`Answer::Ended`], of which `was_live` says whether a live
    /// one was ended.
    EndOf {
        /// Which session.
        key: SessionKey,
        /// Whose it has to be.
        whose: Whose,
        /// Why.
        reason: EndReason,
    },
    /// The live sessions of some slots. Every one is among them that was there before the question, and still is. Answers
    /// [`Answer::Sessions`].
    Sessions {
        /// The first of these slots: zero, or what the answer before said.
        from: u16,
    },
    /// Changes the list of a user, at one moment. What was asked may be asked again: it changes nothing then. Answers
    /// [`Answer::User`]; [`Full`](abide_core::ErrorKind::Full) where a user would have more logins than may be listed.
    User {
        /// Whose, by [`Key::user`](super::Key::user).
        user: [u8; 16],
        /// What happens to it.
        edit: UserEdit,
        /// Names this call among all calls. Where it is made again under its name, what it did before is found.
        call: Stamp,
        /// Whether it was made before.
        is_again: bool,
    },
    /// Reads the list of a user, as of a moment between the question and the answer. Answers [`Answer::UserList`].
    UserList {
        /// Whose, by [`Key::user`](super::Key::user).
        user: [u8; 16],
    },
}

impl Request {
    /// Whether it changes nothing.
    #[must_use]
    pub fn is_read(&self) -> bool {
        matches!(self, Self::Load { .. } | Self::UserList { .. } | Self::Sessions { .. })
    }
}

/// What came of a request.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Answer {
    /// The session, or that there is none.
    Session(Option<Loaded>),
    /// It is over.
    Ended(EndOutcome),
    /// Live sessions.
    Sessions {
        /// Their keys, in order.
        keys: Vec<SessionKey>,
        /// Where the next slots begin, `None` where these were the last.
        next: Option<u16>,
    },
    /// The list of a user was changed.
    User(UserAnswer),
    /// The list of a user, empty where there is none.
    UserList(Arc<UserList>),
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
