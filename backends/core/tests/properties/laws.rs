//! The merge: associative, commutative, idempotent, and what a commit may do to it.

use abide_core::ValueChange;
use proptest::prelude::*;

use crate::script::{Act, COPIES, Step, World, history, value_act};

proptest! {
    #[test]
    fn the_order_in_which_copies_meet_does_not_matter(history in history()) {
        let world = World::after(&history);
        for a in 0..COPIES {
            for b in 0..COPIES {
                prop_assert_eq!(world.copy(a).join(world.copy(b)), world.copy(b).join(world.copy(a)));
            }
        }
    }

    #[test]
    fn how_copies_are_grouped_does_not_matter(history in history()) {
        let world = World::after(&history);
        let [a, b, c] = [world.copy(0), world.copy(1), world.copy(2)];
        prop_assert_eq!(a.join(b).join(c), a.join(&b.join(c)));
        prop_assert_eq!(c.join(a).join(b), a.join(&b.join(c)));
    }

    #[test]
    fn a_copy_that_meets_itself_or_what_it_knows_stays_as_it_is(history in history()) {
        let world = World::after(&history);
        let [a, b] = [world.copy(0), world.copy(1)];
        prop_assert_eq!(&a.join(a), a);
        let both = a.join(b);
        prop_assert_eq!(&both.join(a), &both);
        prop_assert_eq!(&both.join(b), &both);
    }

    #[test]
    fn a_commit_only_adds_to_what_a_copy_knows(history in history()) {
        let mut world = World::new();
        for step in &history {
            let before = world.copy(step.copy).clone();
            world.take(step);
            // What a newer version does with its own fields is its own affair.
            if !matches!(step.act, Act::Foreign { .. }) {
                prop_assert_eq!(&before.join(world.copy(step.copy)), world.copy(step.copy), "{:?}", step);
            }
        }
    }

    #[test]
    fn being_over_absorbs_every_other_copy(history in history()) {
        let mut world = World::after(&history);
        let alive = world.copy(1).clone();
        world.take(&Step::now(0, Act::End { reason: 0 }));
        let joined = alive.join(world.copy(0));
        prop_assert!(joined.era().is_none());
        prop_assert_eq!(joined.value("key 0"), None);
    }

    /// A majority acknowledges a change, and each of its members may be the only one that a later reader finds: so
    /// what one copy took must show in its join with any copy of the same era that knows no later change.
    #[test]
    fn what_one_copy_took_no_other_copy_undoes(
        history in history(),
        act in value_act(),
        copy in 0..COPIES,
        other in 0..COPIES,
    ) {
        let world = World::after(&history);
        let step = Step::now(copy, act);
        let Some(changes) = world.changes(&step) else { return Ok(()) };
        let Ok(taken) = world.copy(copy).commit(&changes, &world.rules()) else { return Ok(()) };
        let joined = taken.as_ref().unwrap_or(world.copy(copy)).join(world.copy(other));
        let Some(era) = joined.era().filter(|era| era.id() == changes.era()) else { return Ok(()) };
        for (key, change) in changes.values() {
            let conditional = matches!(change, ValueChange::Update { .. });
            prop_assert!(taken.is_some() || !conditional, "an update is never without an effect");
            let stamp = era.entry(key).map(|entry| entry.stamp());
            prop_assert!(stamp >= Some(changes.operation()), "{} is as of {:?}", key, stamp);
        }
    }
}

/// Of three copies, the set reached the second and third, the removal that saw it the first and third; a reader finds
/// the first two.
#[test]
fn a_removal_that_came_before_its_set_is_not_lost_with_the_copy_that_had_both() {
    let mut world = World::new();
    let set = world.changes(&Step::now(2, Act::Set { key: 1, value: vec![1] })).unwrap();
    let with_set = world.copy(2).commit(&set, &world.rules()).unwrap().unwrap();
    world.put(2, with_set.clone());
    let remove = world.changes(&Step::now(2, Act::Remove { key: 1 })).unwrap();
    let first = world.copy(0).commit(&remove, &world.rules()).unwrap().unwrap();
    assert_eq!(first.join(&with_set).value("key 1"), None);
}

#[test]
fn two_ends_of_one_moment_are_one_end_wherever_they_meet() {
    let mut world = World::new();
    for copy in 0..COPIES {
        world.take(&Step::now(copy, Act::End { reason: copy as u8 }));
    }
    let [a, b, c] = [world.copy(0), world.copy(1), world.copy(2)];
    assert_eq!(a.join(b), b.join(a));
    assert_eq!(a.join(b).join(c), c.join(b).join(a));
}
