//! Slots and their owners: which members keep a key.
//!
//! **Invariant.** Owners follow from the view alone: every node that knows a view knows the same owners, in the same order.
//! A member more or less moves only the slots that it gains or loses.

use smallvec::SmallVec;

use super::ids::{Member, NodeId, mixed};
use super::value::Key;

/// A part of the keys that moves between nodes as one.
pub(crate) type SlotId = u16;

/// The owners of a slot, the one first that proposes and answers for it.
pub(crate) type Owners = SmallVec<[NodeId; 3]>;

/// In which slot a key is.
pub(crate) fn slot_of(key: &Key, slots: u16) -> SlotId {
    let bytes = key.bytes();
    let half = |at: usize| u64::from_be_bytes(std::array::from_fn(|n| bytes[at + n]));
    (mixed(half(0) ^ mixed(half(8))) % u64::from(slots.max(1))) as SlotId
}

/// The owners of a slot among `members`: those that rank highest by rendezvous hash.
pub(crate) fn owners_of(slot: SlotId, members: &[Member], copies: u8) -> Owners {
    let score = |id: NodeId| mixed(id.0 ^ mixed(u64::from(slot) + 1));
    let mut ranked: SmallVec<[(u64, NodeId); 16]> =
        members.iter().map(|member| (score(member.id), member.id)).collect();
    let kept = usize::from(copies).min(ranked.len());
    if kept > 0 && kept < ranked.len() {
        ranked.select_nth_unstable_by(kept - 1, |one, two| two.cmp(one));
    }
    ranked.truncate(kept);
    ranked.sort_unstable_by(|one, two| two.cmp(one));
    ranked.into_iter().map(|(_, id)| id).collect()
}

/// How many of `count` are a majority.
pub(crate) fn majority(count: usize) -> usize {
    count / 2 + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn members(ids: impl IntoIterator<Item = u64>) -> Vec<Member> {
        let member = |id| Member { id: NodeId(mixed(id)), address: ([127, 0, 0, 1], id as u16).into() };
        ids.into_iter().map(member).collect()
    }

    #[test]
    fn a_member_that_leaves_moves_only_its_own_slots() {
        let (all, fewer) = (members(1..=10), members(1..=9));
        let gone = members([10])[0].id;
        for slot in 0..1_000 {
            let (before, after) = (owners_of(slot, &all, 3), owners_of(slot, &fewer, 3));
            let stayed = before.iter().filter(|id| **id != gone);
            assert!(stayed.into_iter().all(|id| after.contains(id)), "slot {slot}");
        }
    }

    #[test]
    fn slots_are_spread_evenly() {
        let all = members(1..=10);
        let mut kept = std::collections::BTreeMap::<NodeId, u32>::new();
        for slot in 0..16_384 {
            owners_of(slot, &all, 3).iter().for_each(|id| *kept.entry(*id).or_default() += 1);
        }
        let even = 16_384.0 * 3.0 / 10.0;
        assert!(kept.values().all(|count| (f64::from(*count) / even - 1.0).abs() < 0.05), "{kept:?}");
    }
}
