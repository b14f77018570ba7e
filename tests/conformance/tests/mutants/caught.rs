//! Each flaw, and the cases that catch it.

use std::collections::BTreeSet;

use abide_conformance::{Report, cases, run};

use crate::flaw::Flaw;
use crate::simple::subject;

async fn report_of(flaw: Option<Flaw>) -> Report {
    run(|| async { subject(flaw) }).await
}

#[tokio::test]
async fn a_store_without_a_flaw_passes_every_case() {
    let report = report_of(None).await;
    report.assert();
    assert_eq!(report.skipped().count(), 0, "{report}");
}

#[test]
fn every_case_has_a_name_and_a_sentence_of_its_own() {
    let names: BTreeSet<_> = cases().map(|case| case.name()).collect();
    assert_eq!(names.len(), cases().count());
    assert!(cases().all(|case| !case.holds().is_empty()));
}

macro_rules! caught {
    ($($test:ident: $flaw:ident by $($case:ident),+;)+) => {
        /// Every flaw with the cases that must fail on it.
        const CAUGHT: &[(Flaw, &[&str])] = &[$((Flaw::$flaw, &[$(stringify!($case)),+])),+];

        $(#[tokio::test]
        async fn $test() {
            let report = report_of(Some(Flaw::$flaw)).await;
            let failed: BTreeSet<_> = report.failed().collect();
            for case in [$(stringify!($case)),+] {
                assert!(failed.contains(case), "{case} passes on a store with {:?}\n{report}", Flaw::$flaw);
            }
        })+
    };
}

#[test]
fn every_case_is_needed_to_catch_some_flaw() {
    let used: BTreeSet<_> = CAUGHT.iter().flat_map(|(_, cases)| cases.iter().copied()).collect();
    let idle: Vec<_> = cases().map(|case| case.name()).filter(|name| !used.contains(name)).collect();
    assert!(idle.is_empty(), "no mutant is named to be caught by {idle:#?}");
}

caught! {
    a_store_that_ends_sessions_a_tick_late: OverATickLate
        by a_session_is_live_from_its_creation_until_its_deadline;
    a_store_that_waits_for_its_sweep: OverOnlyOnceSwept
        by a_session_past_its_deadline_is_over_before_any_sweep, a_session_never_outlives_its_hard_deadline;
    a_store_that_keeps_the_first_deadline: FirstDeadlineStays
        by a_slide_moves_the_deadline, a_new_era_brings_its_own_hard_deadline;
    a_store_that_never_shortens_a_deadline: LongestDeadlineStays by a_shorter_idle_timeout_counts_at_once;
    a_store_that_forgets_the_hard_deadline: HardDeadlineForgotten by a_session_never_outlives_its_hard_deadline;
    a_commit_that_revives_an_expired_session: CommitRevivesTheExpired
        by a_commit_to_an_expired_session_does_not_revive_it;
    a_load_that_slides: LoadSlides by loading_does_not_slide;
    a_create_that_answers_another_version: CreateAnswersAnotherVersion
        by a_create_under_a_free_key_stores_the_record_and_answers_it;
    a_create_that_overwrites: CreateOverwrites
        by a_create_under_a_live_key_is_refused_and_changes_nothing, of_creations_of_one_key_one_succeeds;
    a_create_that_does_not_know_itself: CreateKnowsNotItself
        by a_create_that_meets_itself_answers_what_is_stored, a_dropped_create_locks_nothing;
    a_create_that_stores_what_is_over: CreateStoresWhatIsOver by a_create_of_a_record_that_is_over_is_refused;
    a_create_that_revives_what_expired: CreateRevivesTheExpired
        by a_create_that_comes_again_does_not_revive_a_session_that_expired_early;
    a_create_that_ignores_the_barrier: CreateIgnoresTheBarrier
        by a_create_for_a_user_ended_after_it_began_is_refused;
    a_store_without_a_limit: NoLimit
        by a_create_above_the_limit_is_refused_and_stores_nothing, a_commit_that_grows_past_the_limit_is_refused;
    a_store_that_never_is_full: NoBound by a_full_store_refuses_and_keeps_what_it_has;
    a_store_without_a_bound_on_bytes: NoByteBound
        by a_commit_that_a_full_store_has_no_room_for_is_refused_and_changes_nothing;
    a_store_that_caches_loads: LoadsAreCached
        by a_load_is_not_older_than_the_last_answer, of_sets_of_one_value_everybody_sees_the_same_one;
    a_store_that_loads_what_ended: EndedSessionsLoad by a_session_that_is_not_live_loads_as_none;
    a_version_that_is_a_time: VersionIsTheTime by equal_versions_are_equal_records;
    a_peek_that_shows_what_ended: PeekShowsWhatEnded by a_peek_is_what_a_load_answers;
    a_peek_that_gives_up_while_busy: PeekGivesUpWhileBusy by a_peek_answers_while_an_operation_is_under_way;
    a_store_that_peeks_without_saying_so: PeeksWithoutSayingSo by a_peek_is_what_a_load_answers;
    a_commit_that_upserts: CommitUpserts by a_commit_for_an_unknown_key_makes_no_session;
    a_dropped_change: CommitDropsAChange by a_commit_answers_what_the_merge_makes;
    a_commit_that_strips_unknown_fields: CommitStripsUnknownFields
        by a_commit_keeps_the_fields_of_newer_versions;
    a_merge_that_takes_the_wall_clock: CommitTakesTheWallClock
        by a_later_stamp_wins_whichever_arrives_first, a_causally_later_write_wins_against_a_clock_that_is_ahead,
        a_stamp_from_the_future_is_refused, a_retried_write_does_not_undo_a_later_one,
        a_retried_removal_does_not_undo_a_later_write, of_sets_of_one_value_everybody_sees_the_same_one;
    a_commit_that_revives_an_ended_session: CommitRevivesTheEnded by a_commit_to_an_ended_session_is_refused;
    a_write_from_an_older_era_that_is_merged: CommitMergesAnOlderEra
        by a_write_begun_before_a_login_is_superseded;
    a_commit_that_writes_what_it_saw: CommitWritesWhatItSaw
        by sets_of_different_values_are_all_kept, an_end_beats_commits_under_way,
        an_end_beats_a_commit_that_began_before_it;
    a_commit_that_happens_in_parts: CommitHappensInParts
        by a_dropped_commit_happens_whole_or_not_at_all_and_locks_nothing;
    a_commit_that_checks_the_version: CommitChecksTheVersion by a_version_that_moved_on_refuses_nothing;
    an_update_without_its_condition: UpdatesWithoutCondition
        by an_update_whose_value_moved_is_a_conflict, concurrent_updates_are_all_applied,
        a_set_beside_an_update_comes_before_or_after_it, changes_asked_for_twice_are_applied_once,
        a_retried_update_finds_itself_among_others, an_update_retried_long_after_is_not_applied_twice,
        a_dropped_update_asked_for_again_is_applied_once;
    a_late_set_that_is_dropped: LateSetsDropped by a_set_that_no_update_saw_is_not_dropped_in_silence;
    a_commit_of_values_alone: OnlyValuesCount
        by a_confirmed_secret_leaves_the_older_one_a_grace, a_slide_moves_the_deadline;
    a_limit_that_counts_what_a_wrapper_added: OverheadCounts
        by bytes_that_a_wrapper_added_do_not_count_against_the_limit;
    a_tried_commit_that_is_only_said: TriedCommitIsOnlySaid by a_commit_that_need_not_wait_is_a_commit;
    a_tried_commit_that_is_done_and_denied: TriedCommitIsDenied by a_commit_that_need_not_wait_is_a_commit;
    a_tried_commit_that_upserts: TriedCommitUpserts by a_commit_that_need_not_wait_revives_nothing;
    a_tried_commit_that_gives_up_while_busy: TriedCommitGivesUpWhileBusy
        by a_commit_that_need_not_wait_answers_while_an_operation_is_under_way;
    a_conflict_with_another_record: StaleCurrent by an_update_whose_value_moved_is_a_conflict;
    a_login_that_leaves_the_old_secret: LoginLeavesTheOldSecret by a_login_kills_every_older_secret;
    a_login_that_keeps_everything: LoginKeepsEverything by a_login_carries_over_what_its_opener_keeps;
    a_login_that_ignores_the_barrier: LoginIgnoresTheBarrier
        by a_login_of_a_user_ended_after_it_began_is_refused, no_login_in_flight_escapes_end_user,
        end_user_of_a_user_without_sessions_refuses_earlier_logins;
    a_login_that_does_not_know_itself: LoginKnowsNotItself by a_retried_login_finds_itself;
    logins_that_follow_each_other: LoginsFollowEachOther by of_logins_at_the_same_time_one_opens_the_era;
    a_renewal_that_confirms_itself: RenewalConfirmsItself by a_renewal_whose_answer_is_lost_logs_nobody_out;
    a_renewal_that_writes_what_it_saw: RenewalWritesWhatItSaw
        by of_two_renewals_one_mints_and_nobody_is_logged_out, a_write_beside_a_renewal_is_kept;
    an_end_that_only_removes: EndOnlyRemoves
        by a_create_under_an_ended_key_is_refused, no_retried_create_brings_an_ended_session_back,
        an_end_is_remembered_for_ten_minutes;
    an_end_that_only_removes_what_it_saw: EndOnlyRemovesWhatItSaw
        by an_end_of_a_key_that_was_not_found_is_remembered;
    an_end_that_is_soon_forgotten: EndIsSoonForgotten by an_end_is_remembered_for_ten_minutes;
    an_end_that_always_finds_a_session: EndAlwaysWasLive by an_end_says_whether_there_was_a_live_session;
    an_end_of_the_ended_that_is_an_error: EndOfTheEndedIsAnError by a_retried_end_is_no_error;
    a_list_of_everybody: ListOfEverybody
        by a_user_without_sessions_has_an_empty_page, a_users_list_holds_their_live_sessions_and_no_other;
    a_list_by_the_first_user: ListByFirstUser by a_login_enters_the_list_and_a_departure_leaves_it;
    a_list_that_keeps_the_ended: ListKeepsTheEnded by an_ended_session_leaves_its_users_list;
    pages_that_repeat_their_last: PagesRepeatTheirLast by pages_hold_every_session_once_and_in_one_order;
    pages_that_lean_on_a_session: PagesLeanOnASession by sessions_that_come_and_go_hide_no_other;
    pages_that_count_the_expired: PagesCountTheExpired by sessions_that_expired_hide_no_other;
    an_end_of_a_user_that_ends_everybody: EndUserEndsEverybody
        by end_user_ends_every_session_of_the_user_and_no_other;
    an_end_of_a_user_that_spares_nobody: EndUserSparesNobody by end_user_spares_the_excepted_session;
    an_end_of_a_user_that_counts_everything: EndUserCountsEverything by end_user_counts_no_session_that_was_over;
    an_end_of_a_user_that_ends_a_page: EndUserEndsAPage by end_user_reaches_more_sessions_than_a_page_holds;
    an_end_of_all_that_spares_nobodys: EndAllSparesNobodys
        by end_all_ends_every_session_and_counts_the_live_ones;
    an_end_of_all_that_only_removes: EndAllOnlyRemoves by after_the_end_of_all_no_write_brings_a_session_back;
    a_store_that_never_is_ready: NeverReady by a_store_in_reach_is_ready;
    capabilities_that_grow: CapabilitiesGrow by capabilities_stay_the_same;
    a_counter_that_goes_down: MetricsCountDown by a_counter_never_goes_down_and_each_name_stands_once;
    a_metric_that_stands_twice: MetricsRepeatAName by a_counter_never_goes_down_and_each_name_stands_once;
    a_drain_that_closes_the_door: DrainClosesTheDoor by a_draining_store_reads_and_loses_no_write_that_it_took;
    a_drained_store_that_drops_writes: DrainDropsWrites by a_draining_store_reads_and_loses_no_write_that_it_took;
    a_failed_drain_that_closes_the_door: DrainFailsShut by a_drain_that_fails_leaves_the_store_as_it_was;
    a_drain_that_counts_everything: DrainCountsEverything by a_drain_counts_every_live_session_at_most_once;
    a_drain_that_leaves_behind: DrainLeavesBehind by a_shared_store_leaves_nothing_behind;
    a_store_without_a_limit_on_logins: NoUserLimit
        by a_login_beyond_the_limit_ends_those_with_the_oldest_login_and_names_them,
        logins_at_the_same_time_leave_no_more_than_the_limit;
    a_limit_that_ends_the_newest: LimitEndsTheNewest
        by a_login_beyond_the_limit_ends_those_with_the_oldest_login_and_names_them;
    a_limit_that_ends_who_logs_in: LimitEndsWhoLogsIn by the_session_that_logs_in_never_ends_by_its_own_login;
    a_limit_that_counts_what_is_over: LimitCountsTheOver
        by sessions_that_are_over_do_not_count_towards_the_limit;
    a_limit_that_counts_renewals: LimitCountsRenewals by a_limit_counts_logins_alone_and_of_each_user_their_own;
    a_limit_that_is_checked_before_the_login: LimitLooksFirst
        by logins_at_the_same_time_leave_no_more_than_the_limit;
    a_lock_that_is_left: LeavesALock
        by a_dropped_commit_happens_whole_or_not_at_all_and_locks_nothing, a_dropped_create_locks_nothing,
        a_dropped_end_locks_nothing, a_dropped_end_of_a_user_locks_nothing;
    an_outage_that_looks_empty: OutageLooksEmpty by a_store_out_of_reach_says_so_and_answers_nothing_else;
    an_outage_that_hides_what_was_done: OutageHidesWhatWasDone
        by what_was_unavailable_did_not_happen_and_is_applied_once_when_asked_again;
    an_outage_that_looks_ready: OutageLooksReady by a_store_out_of_reach_is_not_ready;
}
