//! What a store counts about itself.

use abide_core::Metric;

use super::life::Life;
use super::status::Status;
use crate::protocol::{Holdings, Node};
use crate::transport::Counts;

/// In how many parts everything that is held is counted, so that nobody waits long for it.
const PARTS: u16 = 20;

/// Counts what a node holds, a part of its slots at a time.
#[derive(Debug, Default)]
pub(super) struct Tally {
    next: u16,
    so_far: Holdings,
    last: Holdings,
}

impl Tally {
    /// Counts the next part.
    pub(super) fn go_on(&mut self, node: &Node) {
        let slots = node.all_slots();
        let end = slots.min(self.next.saturating_add(slots.div_ceil(PARTS)));
        self.so_far = self.so_far + node.holdings(self.next..end);
        self.next = end;
        if end == slots {
            self.last = std::mem::take(&mut self.so_far);
            self.next = 0;
        }
    }
}

/// What was counted, over all lives of this process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    sessions: u64,
    tombstones: u64,
    slots: u64,
    bytes: u64,
    lacking: u64,
    waiting: u64,
    repairs: u64,
    in_doubt: u64,
    out_of_reach: u64,
    suspicions: u64,
    refused: u64,
    shed: u64,
    lost: u64,
    bytes_out: u64,
    bytes_in: u64,
    frames_out: u64,
}

impl Figures {
    /// Those of a life, and what was counted before it.
    pub(super) fn of(life: &Life, tally: &Tally, before: &Self) -> Self {
        let (holdings, duties, counts) = (tally.last, life.node.duties(), life.transport.counts());
        let Counts { lost, bytes_out, bytes_in, frames_out, .. } = counts;
        let events = life.node.events();
        Self {
            sessions: holdings.sessions as u64,
            tombstones: holdings.tombstones as u64,
            slots: duties.slots as u64,
            bytes: holdings.bytes as u64,
            lacking: duties.lacking as u64,
            waiting: duties.operations as u64,
            repairs: before.repairs + events.repairs,
            in_doubt: before.in_doubt + events.in_doubt,
            out_of_reach: before.out_of_reach + events.out_of_reach,
            suspicions: before.suspicions + events.suspicions,
            refused: before.refused + counts.refused.iter().map(|(_, count)| count).sum::<u64>(),
            shed: before.shed + counts.refused(crate::transport::Refusal::Shed),
            lost: before.lost + lost,
            bytes_out: before.bytes_out + bytes_out,
            bytes_in: before.bytes_in + bytes_in,
            frames_out: before.frames_out + frames_out,
        }
    }
}

/// All of them, as the contract wants them.
pub(super) fn metrics(status: &Status) -> Vec<Metric> {
    let figures = &status.figures;
    let (gauge, counter) = (Metric::gauge, Metric::counter);
    vec![
        gauge("members", "Members of the cluster, as far as this one knows", status.members.len() as u64),
        gauge("suspects", "Members that this one does not hear", status.suspects.len() as u64),
        gauge("view", "Number of the view that this one is in", status.view),
        gauge("slots", "Slots that this one owns", figures.slots),
        gauge("slots_lacking", "Slots that this one owns and has not copied yet", figures.lacking),
        gauge("sessions", "Sessions of which this one keeps a copy", figures.sessions),
        gauge("tombstones", "Ends that this one remembers", figures.tombstones),
        gauge("held_bytes", "Bytes of the sessions of which this one keeps a copy", figures.bytes),
        gauge("operations", "Operations under way", figures.waiting),
        counter("repairs", "Keys that owners had different copies of, mended", figures.repairs),
        counter("ambiguous", "Operations that ended in doubt", figures.in_doubt),
        counter("unavailable", "Operations that reached no majority in time", figures.out_of_reach),
        counter("suspicions", "Times that a member was not heard in time", figures.suspicions),
        counter("connections_refused", "Connections and links that were refused or dropped", figures.refused),
        counter("peers_shed", "Links dropped because the peer did not take what was sent", figures.shed),
        counter("links_lost", "Links to peers that broke", figures.lost),
        counter("sent_bytes", "Bytes sent to peers", figures.bytes_out),
        counter("received_bytes", "Bytes received from peers", figures.bytes_in),
        counter("sent_frames", "Frames sent to peers", figures.frames_out),
    ]
}
