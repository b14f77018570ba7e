//! Going on without a majority, because an operator says so: a new cluster of what is left.
//!
//! **Invariant.** The new cluster has another id, so nothing of the old one counts in it. A slot is taken over from every
//! survivor that is not taken out of a later view. Where those that had all of it are no majority of its owners, something may
//! be missing, and the operator is told so.

use super::ids::{ClusterId, NodeId};
use super::io::Output;
use super::node::Node;
use super::slots::majority;
use super::steps;
use super::view::View;

impl Node {
    pub(crate) fn recover(&mut self, survivors: &[NodeId]) {
        let Some(placed) = self.views.current().cloned() else { return };
        if !self.phase.serves() {
            return;
        }
        self.step(steps::RECOVERS);
        let is_left = |id: NodeId| id == self.me.id || survivors.contains(&id);
        let members: Vec<_> =
            placed.view.members.iter().filter(|member| is_left(member.id)).copied().collect();
        let doubtful = placed.slots().filter(|slot| {
            let owners = placed.owners(*slot);
            let has_all = |id: &&NodeId| is_left(**id) && self.has_all_of(placed.view.number, **id);
            owners.iter().filter(has_all).count() < majority(owners.len())
        });
        let doubtful = doubtful.count();
        let cluster = ClusterId { founded: self.now.wall.as_millis(), nonce: self.draws.next() };
        let number = placed.view.number + 1;
        self.spread_recovered(View { cluster, number, members, recovered: true, ..placed.view.clone() });
        self.output(Output::Recovered { doubtful });
    }

    /// Whether a member said that it has all its slots of a view.
    fn has_all_of(&self, view: u64, id: NodeId) -> bool {
        let synced = self.peers.get(&id).map_or(0, |peer| peer.synced);
        view == if id == self.me.id { self.synced_in() } else { synced }
    }

    fn spread_recovered(&mut self, view: View) {
        self.cluster = Some(view.cluster);
        self.spread(view);
    }

    /// A survivor is told of the new cluster.
    pub(crate) fn on_recovered_views(&mut self, views: Vec<View>) {
        for view in views {
            let is_next = view.number == self.views.number() + 1;
            if is_next && view.recovered && view.has(self.me.id) && self.phase.serves() {
                self.step(steps::RECOVERED);
                self.cluster = Some(view.cluster);
            }
            // It may lag: then the last views of the old cluster come first.
            if is_next && self.cluster == Some(view.cluster) {
                self.on_views(vec![view]);
            }
        }
    }
}
