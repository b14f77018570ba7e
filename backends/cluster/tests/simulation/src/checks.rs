//! What must hold once nothing is wrong any more.

use std::collections::BTreeMap;
use std::ops::Add;
use std::time::Duration;

use abide_cluster::protocol::{Holdings, Key, Node, NodeId, Phase};

use crate::run::Failure;
use crate::scenario::Scenario;
use crate::world::World;

/// After healing there is one cluster in one view, all owners hold the same, and nothing is left under way.
pub(crate) fn comes_to_rest(scenario: &Scenario, world: &mut World) -> Option<Failure> {
    let until = world.now.max(scenario.heals) + Duration::from_secs(60);
    // Whoever was to begin again has begun by then.
    let settled = world.now.max(scenario.heals) + Duration::from_secs(8);
    while world.step(settled) {}
    let mut why = rests(scenario, world, until);
    if why.is_some() && has_lost_majority(scenario, world) {
        world.coverage.fault("a majority out at once: an operator goes on");
        world.recover();
        why = rests(scenario, world, world.now + Duration::from_secs(60));
    }
    if let Some(what) = world.violations.pop() {
        return Some(Failure { check: "one view per number, one cluster per name", what });
    }
    if let Some(what) = why {
        return Some(Failure { check: "after healing all owners are equal", what });
    }
    if let Some(what) = stays_outgrown(world) {
        return Some(Failure { check: "memory is bounded", what });
    }
    if let Some(what) = misjudges_itself(scenario, world) {
        return Some(Failure { check: "a node says what it holds", what });
    }
    if scenario.drains { drains(scenario, world) } else { None }
}

/// Waits until the cluster is at rest. Answers why it is not in time.
pub(crate) fn rests(scenario: &Scenario, world: &mut World, until: Duration) -> Option<String> {
    let mut why = unrest(scenario, world);
    while why.is_some() && world.now < until {
        let next = world.now + Duration::from_secs(2);
        while world.step(next) {}
        why = unrest(scenario, world);
    }
    why
}

/// What was copied for a view that did not come is let go of once nobody tells of it any more; and a view may come late.
fn stays_outgrown(world: &mut World) -> Option<String> {
    let mut grown = None;
    for _ in 0..3 {
        let later = world.now + Duration::from_secs(5);
        while world.step(later) {}
        grown = outgrown(world);
        if grown.is_none() {
            break;
        }
    }
    grown
}

/// At rest a node keeps the sessions, and of anything else a bounded amount.
fn outgrown(world: &World) -> Option<String> {
    nodes(world).into_iter().find_map(|node| {
        let kept = node.footprint().into_iter().find(|(_, count, most)| count > most);
        kept.map(|(name, count, most)| format!("{:?} keeps {count} {name}, at most {most}", node.id()))
    })
}

/// What a node tells dashboards, against its slots. Who began anew since all came to rest has none yet.
fn misjudges_itself(scenario: &Scenario, world: &World) -> Option<String> {
    nodes(world).into_iter().filter(|node| node.view().is_some()).find_map(|node| {
        let all = node.holdings(0..scenario.slots);
        let in_parts = (0..scenario.slots).map(|slot| node.holdings(slot..slot + 1));
        let cells: Vec<_> = (0..scenario.slots).flat_map(|slot| node.slot_report(slot).cells).collect();
        let dead = cells.iter().filter(|(.., is_dead)| *is_dead).count();
        let alive =
            cells.iter().filter(|(key, .., is_dead)| !is_dead && matches!(key, Key::Session(_))).count();
        let is_so = in_parts.fold(Holdings::default(), Add::add) == all
            // Some are due, and of some nothing was ever stored.
            && all.sessions <= alive
            && all.tombstones <= dead
            && (all.bytes > 0 || all.sessions == 0)
            && node.all_slots() == scenario.slots
            && node.duties().lacking + node.duties().operations == 0;
        (!is_so).then(|| format!("{:?} holds {all:?} and {:?}: {cells:?}", node.id(), node.duties()))
    })
}

fn nodes(world: &World) -> Vec<&Node> {
    world.processes.iter().filter_map(|process| process.node.as_ref()).collect()
}

/// Whether more than the protocol promises to survive went at once: a majority of the members, or of the owners of a slot,
/// of the last view or of one before it that nobody has taken over yet. A crash within the promise comes to that where
/// a view that takes somebody out, or gives the slot to another one that just died, was already on its way.
fn has_lost_majority(scenario: &Scenario, world: &World) -> bool {
    let nodes = nodes(world);
    let last = nodes
        .iter()
        .filter(|node| node.view().is_some())
        .max_by_key(|node| node.view().map(|view| view.number));
    let Some((last, view)) = last.and_then(|last| Some((last, last.view()?))) else { return false };
    let is_alive = |id: &NodeId| nodes.iter().any(|node| node.id() == *id);
    let lost = |ids: &[NodeId]| ids.iter().filter(|id| is_alive(id)).count() < ids.len() / 2 + 1;
    let members: Vec<NodeId> = view.members.iter().map(|member| member.id).collect();
    let number = view.number;
    let lost_slot = |slot: u16| {
        let complete_in = nodes.iter().map(|node| node.slot_report(slot).complete_in).max().unwrap_or(0);
        (complete_in.min(number)..=number).any(|view| lost(&last.owners_in(view, slot)))
    };
    lost(&members) || (0..scenario.slots).any(lost_slot)
}

fn unrest(scenario: &Scenario, world: &World) -> Option<String> {
    let nodes = nodes(world);
    let first = nodes.first()?.view();
    for node in &nodes {
        if node.phase() != Phase::Member || node.view() != first {
            let views: Vec<_> = nodes.iter().map(|node| (node.id(), node.phase(), node.view())).collect();
            return Some(format!("not one view: {views:#?}"));
        }
        if !node.has_synced() || node.operations_under_way() > 0 {
            let working = node.operations_under_way();
            return Some(format!("{:?} has synced: {}, at work on {working}", node.id(), node.has_synced()));
        }
    }
    if first.is_some_and(|view| view.members.len() != nodes.len()) {
        return Some(format!("{} processes, and the view is {first:?}", nodes.len()));
    }
    (0..scenario.slots).find_map(|slot| differ(&nodes, slot))
}

fn differ(nodes: &[&Node], slot: u16) -> Option<String> {
    let mut held = BTreeMap::<NodeId, _>::new();
    for node in nodes {
        let report = node.slot_report(slot);
        if report.owners.contains(&node.id()) {
            if report.promised > 0 {
                return Some(format!("{:?} holds {} promises of slot {slot}", node.id(), report.promised));
            }
            held.insert(node.id(), report.cells);
        } else if report.complete_in > 0 {
            return Some(format!("{:?} keeps slot {slot} of others", node.id()));
        }
    }
    let first = held.values().next()?;
    held.values().any(|cells| cells != first).then(|| format!("slot {slot} differs: {held:#?}"))
}

/// Once they are old enough, nothing is left of the sessions that are over.
fn drains(scenario: &Scenario, world: &mut World) -> Option<Failure> {
    let until = world.now + scenario.tombstone + Duration::from_secs(60);
    while world.step(until) {}
    let reports =
        nodes(world).into_iter().flat_map(|node| (0..scenario.slots).map(|slot| node.slot_report(slot)));
    let mut left = reports.flat_map(|report| report.cells).filter(|(.., is_tombstone)| *is_tombstone);
    let suspects: Vec<_> = nodes(world)
        .iter()
        .map(|node| (node.id(), node.suspects(), node.view().map(|view| view.number)))
        .collect();
    left.next().map(|one| Failure {
        check: "tombstones go",
        what: format!("{one:?} is left at {:?}: {suspects:?}", world.now),
    })
}
