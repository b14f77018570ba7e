//! Each rule of the protocol, left out, is missed by a check within a thousand seeds: the checks can fail.

use abide_cluster::protocol::Variant;
use abide_simulation::{SCRIPTS, Scenario, run};

/// The first of a thousand seeds that fails without the rule, and why.
fn caught(variant: Variant) -> String {
    let fails = |seed| {
        let scenario = Scenario { variant: Some(variant), drains: false, ..Scenario::of(seed) };
        run(&scenario, false).failure.map(|failure| (seed, failure))
    };
    let (seed, failure) = (1..=1_000).find_map(fails).expect("a thousand seeds do not miss the rule");
    println!("{variant:?} is caught by seed {seed}: {}", failure.check);
    failure.check.to_owned()
}

/// What checks histories.
const HISTORIES: [&str; 2] = ["every history is that of one session", "every list is that of one user"];

macro_rules! variants {
    ($($name:ident: $variant:ident,)+) => {$(
        #[test]
        fn $name() {
            let check = caught(Variant::$variant);
            assert!(HISTORIES.contains(&&*check), "{check}");
        }
    )+};
}

variants! {
    acknowledging_across_views_loses_a_write: AcknowledgeAcrossViews,
    counting_a_new_owner_at_once_loses_a_write: CountAtOnce,
    syncing_a_new_owner_from_one_loses_a_write: SyncFromOne,
    repairing_after_the_answer_lets_reads_go_backwards: RepairAfterAnswer,
    a_compare_and_commit_at_one_owner_loses_an_update: CompareAtOneOwner,
    a_blind_write_past_a_promise_is_lost: WritesPastPromises,
    forgetting_what_was_decided_lately_carries_it_out_after_its_answer: NoDeeds,
    judging_deadlines_by_one_clock_ends_a_live_session: OwnClock,
}

/// The first of a thousand seeds with which a script fails without the rule.
fn caught_by(variant: Variant, name: &str) {
    let script = SCRIPTS.iter().find(|script| script.name == name).expect("there is such a script");
    let fails = |seed| (script.run)(seed, Some(variant)).failure.map(|failure| (seed, failure));
    let (seed, failure) = (1..=1_000).find_map(fails).expect("a thousand seeds do not miss the rule");
    println!("{variant:?} is caught by \"{name}\" with seed {seed}: {}", failure.check);
    assert!((script.run)(seed, None).failure.is_none(), "it fails with the rule too");
}

#[test]
fn a_tombstone_that_goes_by_a_timer_alone_lets_an_ended_session_live_again() {
    caught_by(Variant::TombstoneByTimer, "what ended while an owner was away stays so");
}

#[test]
fn an_owner_that_is_not_sealed_takes_a_write_that_the_next_view_lacks() {
    caught_by(Variant::NoSeal, "a write that a handover overtakes is not acknowledged");
}

#[test]
fn an_owner_that_takes_what_was_meant_for_another_view_acknowledges_alone() {
    caught_by(Variant::NoFence, "a write that a handover overtakes is not acknowledged");
}

#[test]
fn a_ballot_below_what_others_forgot_loses_a_login() {
    caught_by(Variant::NoFloor, "a list that some owners forgot is not taken back");
}

#[test]
fn a_promise_that_is_left_behind_lets_a_ballot_win_that_was_lost() {
    caught_by(Variant::ForgetPromises, "a promise outlives the view it was given in");
}

#[test]
fn a_read_that_rests_on_hearsay_shows_what_is_lost_later() {
    caught_by(Variant::TrustHearsay, "no read rests on hearsay");
}
