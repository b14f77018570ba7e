//! The same changes committed again, later: they are never applied twice.

use abide_core::{ErrorKind, Record};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::script::{Act, Step, World, plain_act, quiet_history, updates, value_act};

/// What a caller sees of a live record.
fn shown(record: &Record) -> impl PartialEq + std::fmt::Debug {
    let era = record.era().expect("the session lives");
    let values: Vec<_> = era.keys().map(|key| (key.clone(), era.value(key).map(<[u8]>::to_vec))).collect();
    (era.id(), values, era.secrets().newest(), era.deadline(), era.idle_timeout())
}

/// Commits `acts` as one set of changes, lets `later` happen, and commits the same changes again.
fn commit_again(before: &[Step], step: &Step, later: &[Step], retry: bool) -> Result<(), TestCaseError> {
    let mut world = World::after(before);
    let Some(changes) = world.changes(step) else { return Ok(()) };
    let Ok(Some(first)) = world.copy(step.copy).commit(&changes, &world.rules()) else { return Ok(()) };
    world.put(step.copy, first);
    for other in later {
        world.take(&Step { copy: step.copy, ..other.clone() });
    }
    let held = world.copy(step.copy);
    match held.commit(&changes, &world.rules().retry(retry)) {
        Ok(None) => Ok(()),
        Ok(Some(again)) => {
            prop_assert_eq!(shown(&again), shown(held));
            Ok(())
        }
        Err(error) => {
            let kinds = [ErrorKind::Superseded, ErrorKind::Conflict, ErrorKind::Ambiguous];
            prop_assert!(kinds.contains(&error.kind()), "{}", error);
            prop_assert!(error.kind() != ErrorKind::Ambiguous || retry);
            Ok(())
        }
    }
}

proptest! {
    #[test]
    fn changes_committed_again_at_once_make_no_difference(before in quiet_history(), act in plain_act()) {
        let step = Step::now(0, act);
        let world = World::after(&before);
        let changes = world.changes(&step).expect("a quiet history ends no session");
        let Ok(Some(first)) = world.copy(0).commit(&changes, &world.rules()) else { return Ok(()) };
        prop_assert!(matches!(first.commit(&changes, &world.rules()), Ok(None)));
    }

    #[test]
    fn an_update_is_remembered_however_many_came_before_it(before in updates(), key in 0..4_u8) {
        let before: Vec<_> = before.into_iter().map(|step| Step { copy: 0, ..step }).collect();
        let world = World::after(&before);
        let update = world.changes(&Step::now(0, Act::Update { key, value: Some(vec![1]) }));
        let update = update.expect("the session lives");
        let Ok(Some(first)) = world.copy(0).commit(&update, &world.rules()) else { return Ok(()) };
        prop_assert!(matches!(first.commit(&update, &world.rules()), Ok(None)));
    }

    #[test]
    fn changes_committed_again_in_a_later_state_are_not_applied_twice(
        before in quiet_history(),
        act in plain_act(),
        behind in 0..4_usize,
        later in quiet_history(),
        retry in any::<bool>(),
    ) {
        // One copy: a store that serialises its commits.
        let before: Vec<_> = before.into_iter().map(|step| Step { copy: 0, ..step }).collect();
        commit_again(&before, &Step { behind, ..Step::now(0, act) }, &later, retry)?;
    }

    /// Sets and removals of a writer that was slow, between an operation and its repetition: their stamps are earlier
    /// than the operation's, and what they did must outlive the repetition all the same.
    #[test]
    fn a_repetition_does_not_undo_what_came_between(
        first in value_act(),
        between in vec((0..3_usize, value_act()), 1..6),
        retry in any::<bool>(),
    ) {
        let mut world = World::new();
        let late: Vec<_> = between
            .into_iter()
            .filter_map(|(copy, act)| world.changes(&Step::now(copy, act)))
            .collect();
        world.take(&Step { millis: 20_000, ..Step::now(0, Act::Slide { seconds: 1 }) });
        let step = Step::now(0, first);
        let changes = world.changes(&step).expect("the session lives");
        let Ok(mut held) = world.copy(0).commit(&changes, &world.rules()).map(|r| r.unwrap_or(world.copy(0).clone()))
        else { return Ok(()) };
        for other in &late {
            held = held.commit(other, &world.rules()).ok().flatten().unwrap_or(held);
        }
        if let Ok(Some(again)) = held.commit(&changes, &world.rules().retry(retry)) {
            prop_assert_eq!(shown(&again), shown(&held));
        }
    }
}
