//! What the simulator may see of a node that nobody else needs to.

use super::ids::NodeId;
use super::node::Node;
use super::value::Key;

/// One slot as a node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SlotReport {
    /// Its owners in the current view.
    pub owners: Vec<NodeId>,
    /// Its owners in the view before.
    pub before: Vec<NodeId>,
    /// In which view this node's copy is complete, zero without one.
    pub complete_in: u64,
    /// What it holds: key, generation, digest, and whether it is a tombstone.
    pub cells: Vec<(Key, [u8; 16], u128, bool)>,
    /// How many of its cells are promised to a ballot that stored nothing yet.
    pub promised: usize,
}

impl Node {
    /// Who this is.
    #[doc(hidden)]
    #[must_use]
    pub fn id(&self) -> NodeId {
        self.me.id
    }

    /// How many operations are under way.
    #[doc(hidden)]
    #[must_use]
    pub fn operations_under_way(&self) -> usize {
        self.operations.under_way.len()
    }

    /// Whether every slot that it owns is here.
    #[doc(hidden)]
    #[must_use]
    pub fn has_synced(&self) -> bool {
        self.synced_in() == self.views.number()
    }

    /// What it keeps beside the sessions: of each kind what it is, how much there is, and the most there may be once nothing
    /// is under way.
    #[doc(hidden)]
    #[must_use]
    pub fn footprint(&self) -> Vec<(&'static str, usize, usize)> {
        let members = self.views.current().map_or(0, |placed| placed.view.members.len());
        let [taken, bulk] = self.transfer.footprint();
        let [joins, leaves] = self.leader.footprint();
        vec![
            ("operations", self.operations.under_way.len(), 0),
            ("turns", self.operations.deciding.len() + self.operations.awake.len(), 0),
            ("generations remembered", self.operations.hints.len(), super::operation::HINTS),
            ("contended keys", self.operations.contended.len(), super::operation::HINTS),
            ("questions remembered", self.answered.len(), super::copies::REMEMBERED),
            ("views", self.views.len(), super::view::REMEMBERED),
            ("peers", self.peers.len(), 2 * members + 2),
            ("slots on their way", taken, 0),
            ("slots copied in advance", bulk, 0),
            ("wishes to come and go", joins + leaves, members),
            ("scans", self.scans.len(), 0),
            ("burials", self.burials.len(), super::tombstones::AT_ONCE),
            ("questions about a cluster", self.founding.asked(), 8),
        ]
    }

    /// The owners of a slot in a view, none where it does not know that one.
    #[doc(hidden)]
    #[must_use]
    pub fn owners_in(&self, view: u64, slot: u16) -> Vec<NodeId> {
        self.views.get(view).map(|placed| placed.owners(slot).to_vec()).unwrap_or_default()
    }

    /// The slots that it holds.
    #[doc(hidden)]
    #[must_use]
    pub fn slot_report(&self, slot: u16) -> SlotReport {
        let number = self.views.number();
        let copy = self.copies.get(&slot);
        let cells = copy.into_iter().flat_map(|copy| &copy.cells);
        let promised = cells.clone().filter(|(_, cell)| cell.promised > cell.generation).count();
        let cells = cells
            .map(|(key, cell)| (*key, cell.generation.to_bytes(), cell.digest().into(), cell.is_tombstone()));
        SlotReport {
            owners: self.owners_in(number, slot),
            before: self.owners_in(number.saturating_sub(1), slot),
            complete_in: copy.map_or(0, |copy| copy.complete_in),
            cells: cells.collect(),
            promised,
        }
    }
}
