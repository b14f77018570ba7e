//! Suspecting a peer, which costs nothing, and evicting it, which copies its slots.
//!
//! **Invariant.** A suspect is a peer that this node would not wait for; it goes on counting. Only a verdict of the failure
//! detector at a majority of the members, about a peer not heard of for [`EVICTED_AFTER`], takes it out of the view. Who is no
//! member has no vote, though it may know the view.

use std::time::Duration;

use super::ids::NodeId;
use super::message::Body;
use super::node::Node;

/// How long a peer must have been silent, whatever the failure detector says.
pub(crate) const EVICTED_AFTER: Duration = Duration::from_secs(10);
/// How long another member's word about a peer is good.
const WORD: Duration = Duration::from_secs(4);
/// To how many peers, on either side of the ring of members, a node shows itself by beats.
const NEIGHBOURS: usize = 4;

impl Node {
    /// Those that this node shows itself to, and that show themselves to it.
    pub(crate) fn neighbours(&self) -> Vec<NodeId> {
        let Some(placed) = self.views.current() else { return Vec::new() };
        let members = &placed.view.members;
        let Ok(at) = members.binary_search_by_key(&self.me.id, |member| member.id) else {
            return members.iter().map(|member| member.id).take(NEIGHBOURS).collect();
        };
        let around = |by: usize| members[(at + by) % members.len()].id;
        if members.len() <= 2 * NEIGHBOURS + 1 {
            return (1..members.len()).map(around).collect();
        }
        (1..=NEIGHBOURS).flat_map(|by| [around(by), around(members.len() - by)]).collect()
    }

    /// Whether a peer is not to be waited for.
    pub(crate) fn is_suspect(&self, id: NodeId) -> bool {
        let Some(peer) = self.peers.get(&id) else { return id != self.me.id };
        let silent = self.now.elapsed.saturating_sub(peer.heard) > self.settings.suspect;
        peer.is_lost || peer.is_down || (silent && self.beats_with.contains(&id))
    }

    pub(crate) fn on_link_lost(&mut self, id: NodeId) {
        self.suspect(id);
    }

    fn suspect(&mut self, id: NodeId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            if !std::mem::replace(&mut peer.is_lost, true) {
                self.suspicions += 1;
                self.tell_all(|| Body::Suspected { peer: id });
            }
        }
    }

    /// Another member's suspicion counts only until the peer is heard of, and only where this node does not hear it itself.
    pub(crate) fn on_suspected(&mut self, id: NodeId) {
        let watched = self.beats_with.contains(&id);
        if let Some(peer) = self.peers.get_mut(&id).filter(|_| !watched) {
            peer.is_lost = true;
        }
    }

    pub(crate) fn on_verdict(&mut self, id: NodeId, is_down: bool) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.is_down = is_down;
        }
        if is_down {
            self.tell_verdicts();
        }
    }

    pub(crate) fn on_down(&mut self, from: NodeId, down: &[NodeId]) {
        let now = self.now.elapsed;
        for id in down {
            if let Some(peer) = self.peers.get_mut(id) {
                peer.down_votes.retain(|(voter, _)| *voter != from);
                peer.down_votes.push((from, now));
            }
        }
    }

    /// Those that a majority of the members holds for down.
    pub(crate) fn evicted(&self) -> Vec<NodeId> {
        let Some(placed) = self.views.current() else { return Vec::new() };
        let (now, majority) = (self.now.elapsed, placed.view.majority());
        let is_good = |at: Duration| now.saturating_sub(at) < WORD;
        let is_evicted = |id: NodeId| {
            let Some(peer) = self.peers.get(&id) else { return false };
            let votes =
                peer.down_votes.iter().filter(|(by, at)| placed.view.has(*by) && is_good(*at)).count();
            let silent = now.saturating_sub(peer.heard) >= EVICTED_AFTER;
            silent && votes + usize::from(peer.is_down) >= majority
        };
        placed.view.members.iter().map(|member| member.id).filter(|id| is_evicted(*id)).collect()
    }

    /// Beats go to the neighbours, and verdicts that stand are said again.
    pub(crate) fn beat_on(&mut self) {
        if self.views.current().is_none() || !self.every(super::node::Chore::Beat, self.settings.beat) {
            return;
        }
        self.compare_clocks();
        let (wall, synced) = (self.own_clock(), self.synced_in());
        for id in self.neighbours() {
            self.send(id, Body::Beat { wall, synced });
        }
        let silent = |node: &Self, id: &NodeId| node.is_suspect(*id);
        let suspects: Vec<NodeId> =
            self.beats_with.clone().into_iter().filter(|id| silent(self, id)).collect();
        suspects.into_iter().for_each(|id| self.suspect(id));
        self.tell_verdicts();
    }

    fn tell_verdicts(&mut self) {
        let peers: Vec<NodeId> =
            self.peers.iter().filter(|(_, peer)| peer.is_down).map(|(id, _)| *id).collect();
        if !peers.is_empty() {
            self.tell_all(|| Body::Down { peers: peers.clone() });
        }
    }
}
