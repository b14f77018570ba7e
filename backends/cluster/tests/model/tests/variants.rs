//! Each rule of the protocol, left out, breaks it: the model finds the steps.

use Kind::{Create, End, Read, Update, Write};
use abide_cluster::protocol::Variant;
use abide_model::{Config, Kind, check};

/// The rule holds the configuration together: it is broken without, and not with.
fn breaks(variant: Variant, config: Config) {
    let right = check(&config);
    assert!(right.broken.is_none(), "with all rules: {right}");
    let outcome = check(&config.without(variant));
    println!("{variant:?}: {outcome}");
    assert!(outcome.broken.is_some(), "{variant:?}: {outcome}");
}

macro_rules! variants {
    ($($name:ident: $variant:ident, $config:expr;)+) => {
        $(
            #[test]
            fn $name() {
                breaks(Variant::$variant, $config);
            }
        )+

        /// By its own clock a node judges deadlines, and there is no time in the model. A list of a user is forgotten and made
        /// again, which the model's one session is not; and what is entrusted may be done after its answer, while in the
        /// model everybody decides for themselves. Hearsay takes two updates and a read while the view changes: the model finds
        /// it, in minutes. The simulator has all of it.
        const ELSEWHERE: [Variant; 4] =
            [Variant::OwnClock, Variant::NoFloor, Variant::NoDeeds, Variant::TrustHearsay];

        #[test]
        fn every_rule_that_can_be_left_out_is_left_out_here_or_in_the_simulator_alone() {
            let here = [$(Variant::$variant),+];
            for variant in Variant::ALL {
                assert!(here.contains(&variant) != ELSEWHERE.contains(&variant), "{variant:?}");
            }
        }
    };
}

variants! {
    acknowledging_across_views_loses_an_update: AcknowledgeAcrossViews, Config::two_views(&[Update]);
    counting_a_new_owner_at_once_loses_a_write: CountAtOnce, Config::two_views(&[Write]);
    syncing_a_new_owner_from_one_loses_a_write: SyncFromOne, Config::two_views(&[Write]);
    changing_the_view_without_a_seal_loses_a_write: NoSeal, Config::two_views(&[Write]);
    a_tombstone_that_goes_by_a_timer_alone_lets_an_ended_session_live_again: TombstoneByTimer, Config::one_view(&[End]);
    owners_that_take_late_messages_bring_an_ended_session_back:
        NoFence, Config::one_view(&[Create, End]).from_nothing();
    repairing_after_the_answer_lets_reads_go_backwards: RepairAfterAnswer, Config::one_view(&[Write, Read]);
    a_compare_and_commit_at_one_owner_loses_a_write_beside_it: CompareAtOneOwner, Config::one_view(&[Write, Update]);
    a_blind_write_past_a_promise_is_lost: WritesPastPromises, Config::one_view(&[Write, Update]);
    a_copy_without_its_promises_loses_a_write: ForgetPromises, Config::two_views(&[Write, Update]);
}

/// The code has no such form: a process that begins again has another id, and an owner counts by its id.
#[test]
fn a_process_that_begins_again_under_its_old_name_loses_a_write() {
    let outcome = check(&Config::one_view(&[Write]).with_amnesia());
    println!("{outcome}");
    assert!(outcome.broken.is_some(), "{outcome}");
}
