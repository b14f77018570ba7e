//! The interleavings are worth what they catch: each flaw that a race can show is found within a stated number of seeds.

use abide_conformance::interleavings::{Driver as _, Plan, Stores, check_history};

use crate::flaw::Flaw;
use crate::simple;

fn stores(flaw: Option<Flaw>) -> Stores {
    Stores::new(move |clock| simple::store(flaw, clock))
}

/// After how many seeds the first history came that nothing explains.
fn found_after(flaw: Option<Flaw>, seeds: u64) -> Option<u64> {
    let stores = stores(flaw);
    (1..=seeds).find(|seed| {
        let plan = Plan::of(*seed, stores.abilities());
        check_history(&stores.carry_out(&plan)).is_err()
    })
}

#[test]
fn a_store_without_a_flaw_is_that_of_one_session() {
    assert_eq!(found_after(None, 500), None);
}

macro_rules! found {
    ($($test:ident: $flaw:ident within $seeds:literal;)+) => {$(
        #[test]
        fn $test() {
            let after = found_after(Some(Flaw::$flaw), $seeds);
            println!("found after {after:?} seeds");
            assert!(after.is_some(), "not found within {} seeds", $seeds);
        }
    )+};
}

found! {
    a_commit_that_upserts: CommitUpserts within 1000;
    a_dropped_change: CommitDropsAChange within 1000;
    a_last_writer_by_the_wall_clock: CommitTakesTheWallClock within 1000;
    a_login_that_leaves_the_old_secret: LoginLeavesTheOldSecret within 1000;
    a_write_from_an_older_era_that_is_merged: CommitMergesAnOlderEra within 1000;
    an_update_that_ignores_its_condition: UpdatesWithoutCondition within 1000;
    a_retried_login_that_does_not_know_itself: LoginKnowsNotItself within 1000;
    a_retried_create_that_does_not_know_itself: CreateKnowsNotItself within 1000;
    a_renewal_that_is_minted_twice: RenewalWritesWhatItSaw within 1000;
    a_renewal_that_confirms_itself: RenewalConfirmsItself within 1000;
    an_ended_session_that_a_commit_brings_back: CommitRevivesTheEnded within 1000;
    an_ended_session_that_loads: EndedSessionsLoad within 1000;
    an_expired_session_that_a_commit_brings_back: CommitRevivesTheExpired within 1000;
    an_end_that_only_removes: EndOnlyRemoves within 1000;
    an_end_that_a_write_under_way_undoes: CommitWritesWhatItSaw within 1000;
    a_create_that_overwrites: CreateOverwrites within 1000;
    logins_that_follow_each_other: LoginsFollowEachOther within 1000;
    a_login_that_keeps_everything: LoginKeepsEverything within 1000;
    a_late_set_that_is_dropped: LateSetsDropped within 1000;
    a_commit_that_happens_in_parts: CommitHappensInParts within 1000;
    a_session_that_is_over_a_tick_late: OverATickLate within 1000;
    a_session_that_outlives_its_hard_deadline: HardDeadlineForgotten within 1000;
    a_deadline_that_never_moves: FirstDeadlineStays within 1000;
    a_deadline_that_never_comes_nearer: LongestDeadlineStays within 1000;
    a_load_that_slides: LoadSlides within 1000;
    loads_that_are_cached: LoadsAreCached within 1000;
    a_commit_of_values_alone: OnlyValuesCount within 1000;
}
