//! Which crash is within what the protocol promises to survive: as long as no more than ⌊K/2⌋ owners of any slot are down or
//! not yet complete, nothing that was acknowledged is lost.

use std::collections::BTreeMap;

use abide_cluster::protocol::{Node, NodeId};

/// What dead processes had when they died: in which view each of their slots was complete.
pub(crate) type Dead = BTreeMap<NodeId, Vec<u64>>;

/// Whether all that was acknowledged survives if `victim` dies too.
pub(crate) fn survives(alive: &[&Node], dead: &Dead, victim: NodeId, ghosts: bool, slots: u16) -> bool {
    let Some(last) = alive.iter().max_by_key(|node| node.view().map_or(0, |view| view.number)) else {
        return false;
    };
    let Some(view) = last.view() else { return false };
    let lives = |id: &NodeId| *id != victim && alive.iter().any(|node| node.id() == *id);
    let members: Vec<NodeId> = view.members.iter().map(|member| member.id).collect();
    let left = members.iter().filter(|id| lives(id)).count();
    // A view may be on its way that takes in somebody who died while joining: then nobody else may be down.
    let joins = !members.contains(&victim);
    let counted = members.len() + usize::from(joins);
    if left < counted / 2 + 1 || ((ghosts || joins) && left < members.len()) {
        return false;
    }
    (0..slots).all(|slot| {
        let report = last.slot_report(slot);
        let complete = |id: &NodeId| {
            let alive =
                alive.iter().find(|node| node.id() == *id).map(|node| node.slot_report(slot).complete_in);
            alive
                .or_else(|| dead.get(id).and_then(|slots| slots.get(usize::from(slot)).copied()))
                .unwrap_or(0)
        };
        let needs = |owners: &[NodeId]| owners.len() / 2 + 1;
        let ever = report.owners.iter().filter(|id| complete(id) >= view.number).count();
        let here = report.owners.iter().filter(|id| lives(id) && complete(id) >= view.number).count();
        let unfinished = ever < needs(&report.owners);
        let before = report.before.iter().filter(|id| lives(id) && complete(id) + 1 >= view.number).count();
        let down = report.owners.iter().filter(|id| lives(id)).count() < needs(&report.owners);
        !down && here >= needs(&report.owners)
            || !down && (unfinished && before >= needs(&report.before) && !report.before.is_empty())
    })
}
