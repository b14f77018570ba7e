//! What a node knows of the others: when it last heard of them, and how fresh their knowledge of this node is.
//!
//! **Invariant.** A message that changes something is refused when its sender last heard from this node longer ago than
//! [`Settings::message_age`](super::Settings). Both ends of that time are read from this node's own monotonic clock, so no
//! clock has to agree with another one, and a message held up for long, by a network or by a paused sender, does nothing.

use std::time::Duration;

use abide_core::Timestamp;

use super::ids::{Member, NodeId};
use super::message::{Body, Message};
use super::node::Node;

/// One peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Peer {
    pub(crate) heard: Duration,
    /// Its last beat that was seen.
    pub(crate) beat: u32,
    /// What its wall clock showed, and when.
    pub(crate) wall: Option<(Timestamp, Duration)>,
    /// Its link broke, or somebody who watches it suspects it, since it was last heard.
    pub(crate) is_lost: bool,
    /// The failure detector's verdict.
    pub(crate) is_down: bool,
    /// Who else said that it is down, and when.
    pub(crate) down_votes: Vec<(NodeId, Duration)>,
    /// The last view for which it has all its slots.
    pub(crate) synced: u64,
}

impl Node {
    /// This node's time in beats; zero is never one.
    pub(crate) fn beat(&self) -> u32 {
        let beats = self.now.elapsed.as_millis() / self.settings.beat.as_millis().max(1);
        u32::try_from(beats).unwrap_or(u32::MAX).saturating_add(1)
    }

    /// Whether whoever echoes this beat knows nothing new of this node.
    pub(crate) fn is_stale(&self, echo: u32) -> bool {
        let age = self.settings.beat * self.beat().saturating_sub(echo);
        echo == 0 || age > self.settings.message_age
    }

    pub(crate) fn hear(&mut self, message: &Message) {
        let (now, from) = (self.now.elapsed, message.from);
        if from.id == self.me.id || !self.views.current().is_some_and(|placed| placed.view.has(from.id)) {
            return;
        }
        let peer = self.peers.entry(from.id).or_default();
        (peer.heard, peer.is_lost) = (now, false);
        peer.beat = peer.beat.max(message.beat);
        if let Body::Beat { wall, synced } = message.body {
            peer.wall = Some((wall, now));
            peer.synced = peer.synced.max(synced);
        }
    }

    /// Forgets those that are in no view that matters any more, and begins to listen to new ones.
    pub(crate) fn keep_peers(&mut self) {
        let Some(placed) = self.views.current().cloned() else { return };
        let before = self.views.get(placed.view.number.saturating_sub(1)).cloned();
        let matters = |id: NodeId| placed.view.has(id) || before.as_ref().is_some_and(|b| b.view.has(id));
        self.peers.retain(|id, _| matters(*id));
        self.peers
            .iter_mut()
            .filter(|(id, _)| !placed.view.has(**id))
            .for_each(|(_, peer)| peer.is_down = false);
        for member in placed.view.members.iter().filter(|member| member.id != self.me.id) {
            let heard = self.now.elapsed;
            self.peers.entry(member.id).or_insert_with(|| Peer { heard, ..Peer::default() });
        }
    }

    /// Where a process listens, as far as any view or the last message told.
    pub(crate) fn address_of(&self, id: NodeId) -> Option<Member> {
        if let Some(speaker) = self.speaker.filter(|speaker| speaker.id == id) {
            return Some(speaker);
        }
        let from = self.views.number();
        (from.saturating_sub(8)..=from)
            .rev()
            .filter_map(|number| self.views.get(number))
            .find_map(|placed| placed.view.member(id).copied())
    }
}
