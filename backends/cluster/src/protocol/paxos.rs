//! The next view, by single-decree Paxos among the members of the one before.
//!
//! **Invariant.** For one number at most one view is chosen: an acceptor is a member of the view before, lives once, and
//! answers for the number after its own view alone; a proposer that finds a view accepted proposes that one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::ids::NodeId;
use super::view::View;

/// The order of proposals: a round and its proposer.
pub(crate) type Proposal = (u64, NodeId);

/// A step of the choice of one view.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Step {
    /// "Promise to accept nothing lower, and tell me what you accepted."
    Prepare(Proposal),
    /// What was accepted before.
    Promised(Proposal, Option<(Proposal, View)>),
    /// "Accept this."
    Accept(Proposal, View),
    /// It is accepted.
    Accepted(Proposal),
    /// A higher proposal was promised.
    Refused(Proposal),
}

/// What one member promised and accepted for the number after its view.
#[derive(Clone, Debug, Default)]
pub(crate) struct Acceptor {
    promised: Proposal,
    accepted: Option<(Proposal, View)>,
}

impl Acceptor {
    pub(crate) fn answer(&mut self, step: Step) -> Option<Step> {
        match step {
            Step::Prepare(proposal) | Step::Accept(proposal, _) if proposal < self.promised => {
                Some(Step::Refused(self.promised))
            }
            Step::Prepare(proposal) => {
                self.promised = proposal;
                Some(Step::Promised(proposal, self.accepted.clone()))
            }
            Step::Accept(proposal, view) => {
                self.promised = proposal;
                self.accepted = Some((proposal, view));
                Some(Step::Accepted(proposal))
            }
            Step::Promised(..) | Step::Accepted(_) | Step::Refused(_) => None,
        }
    }
}

/// One proposer's try at choosing a view.
#[derive(Clone, Debug)]
pub(crate) struct Proposer {
    proposal: Proposal,
    view: View,
    promises: BTreeMap<NodeId, Option<(Proposal, View)>>,
    accepted: Vec<NodeId>,
    majority: usize,
    accepting: bool,
}

/// What a proposer does next.
#[derive(Clone, Debug)]
pub(crate) enum Next {
    Wait,
    Tell(Step),
    Chosen(View),
    /// A higher proposal is under way, of this round.
    Beaten(u64),
}

impl Proposer {
    /// Proposes `view` in a round higher than any seen.
    pub(crate) fn new(round: u64, me: NodeId, view: View, majority: usize) -> (Self, Step) {
        let proposal = (round, me);
        let (promises, accepted) = (BTreeMap::new(), Vec::new());
        (Self { proposal, view, promises, accepted, majority, accepting: false }, Step::Prepare(proposal))
    }

    pub(crate) fn hear(&mut self, from: NodeId, step: Step) -> Next {
        match step {
            Step::Promised(proposal, before) if proposal == self.proposal && !self.accepting => {
                self.promises.insert(from, before);
                if self.promises.len() < self.majority {
                    return Next::Wait;
                }
                let before = self.promises.values().flatten().max_by_key(|(proposal, _)| *proposal);
                if let Some((_, view)) = before {
                    self.view = view.clone();
                }
                self.accepting = true;
                Next::Tell(Step::Accept(self.proposal, self.view.clone()))
            }
            Step::Accepted(proposal) if proposal == self.proposal && self.accepting => {
                if !self.accepted.contains(&from) {
                    self.accepted.push(from);
                }
                if self.accepted.len() < self.majority { Next::Wait } else { Next::Chosen(self.view.clone()) }
            }
            Step::Refused(proposal) if proposal > self.proposal => Next::Beaten(proposal.0),
            _ => Next::Wait,
        }
    }
}
