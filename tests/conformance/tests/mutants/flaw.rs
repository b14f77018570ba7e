//! What may be wrong with a store.

use abide_core::{Changes, EraId, Keep, Record, Stamp, ValueChange};

/// One way to break the contract.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flaw {
    // Time.
    OverATickLate,
    OverOnlyOnceSwept,
    FirstDeadlineStays,
    LongestDeadlineStays,
    HardDeadlineForgotten,
    CommitRevivesTheExpired,
    LoadSlides,
    // Creation.
    CreateAnswersAnotherVersion,
    CreateOverwrites,
    CreateKnowsNotItself,
    CreateStoresWhatIsOver,
    CreateRevivesTheExpired,
    CreateIgnoresTheBarrier,
    NoLimit,
    NoBound,
    NoByteBound,
    // Loads.
    LoadsAreCached,
    EndedSessionsLoad,
    VersionIsTheTime,
    PeekShowsWhatEnded,
    PeekGivesUpWhileBusy,
    PeeksWithoutSayingSo,
    // Commits.
    CommitUpserts,
    CommitDropsAChange,
    CommitStripsUnknownFields,
    CommitTakesTheWallClock,
    CommitRevivesTheEnded,
    CommitMergesAnOlderEra,
    CommitWritesWhatItSaw,
    CommitHappensInParts,
    CommitChecksTheVersion,
    UpdatesWithoutCondition,
    LateSetsDropped,
    OnlyValuesCount,
    OverheadCounts,
    StaleCurrent,
    TriedCommitIsOnlySaid,
    TriedCommitIsDenied,
    TriedCommitUpserts,
    TriedCommitGivesUpWhileBusy,
    // Eras and secrets.
    LoginLeavesTheOldSecret,
    LoginKeepsEverything,
    LoginIgnoresTheBarrier,
    LoginKnowsNotItself,
    LoginsFollowEachOther,
    RenewalConfirmsItself,
    RenewalWritesWhatItSaw,
    // Ends.
    EndOnlyRemoves,
    EndOnlyRemovesWhatItSaw,
    EndIsSoonForgotten,
    EndAlwaysWasLive,
    EndOfTheEndedIsAnError,
    // Users.
    ListOfEverybody,
    ListByFirstUser,
    ListKeepsTheEnded,
    PagesRepeatTheirLast,
    PagesLeanOnASession,
    PagesCountTheExpired,
    EndUserEndsEverybody,
    EndUserSparesNobody,
    EndUserCountsEverything,
    EndUserEndsAPage,
    // Limits.
    NoUserLimit,
    LimitEndsTheNewest,
    LimitEndsWhoLogsIn,
    LimitCountsTheOver,
    LimitCountsRenewals,
    LimitLooksFirst,
    // Everyone.
    EndAllSparesNobodys,
    EndAllOnlyRemoves,
    // Standing.
    NeverReady,
    CapabilitiesGrow,
    MetricsCountDown,
    MetricsRepeatAName,
    DrainClosesTheDoor,
    DrainDropsWrites,
    DrainFailsShut,
    DrainCountsEverything,
    DrainLeavesBehind,
    LeavesALock,
    // Outages.
    OutageLooksEmpty,
    OutageHidesWhatWasDone,
    OutageLooksReady,
}

/// The same changes, as another operation in another era.
fn copied(changes: &Changes, operation: Stamp, era: EraId) -> Changes {
    let mut copy = Changes::new(operation, era);
    for (key, change) in changes.values() {
        copy.change(key.into(), change.clone());
    }
    if let Some(new) = changes.new_era() {
        copy.open_era(new.clone());
    }
    copy
}

/// The changes of values alone, where there are some; the rest cannot be read from outside.
fn only_values(changes: &Changes) -> Option<Changes> {
    (changes.values().count() > 0 && changes.new_era().is_none())
        .then(|| copied(changes, changes.operation(), changes.era()))
}

/// What a store with this flaw makes of changes before it merges them into `held`; `now` is a stamp of its own.
pub(crate) fn rewritten(flaw: Option<Flaw>, changes: &Changes, held: &Record, now: Stamp) -> Changes {
    let era = held.era().map_or(changes.era(), |era| era.id());
    match flaw {
        Some(Flaw::CommitTakesTheWallClock) => {
            only_values(changes).map_or_else(|| changes.clone(), |values| copied(&values, now, changes.era()))
        }
        Some(Flaw::CommitMergesAnOlderEra) if changes.new_era().is_none() => {
            only_values(changes).map_or_else(|| changes.clone(), |values| copied(&values, now, era))
        }
        Some(Flaw::LoginsFollowEachOther) if changes.new_era().is_some() => copied(changes, now, era),
        Some(Flaw::CommitDropsAChange) => without_the_last(changes),
        Some(Flaw::UpdatesWithoutCondition) => without_conditions(changes, held, now),
        Some(Flaw::LoginKeepsEverything) if changes.new_era().is_some() => keeping_everything(changes),
        _ => changes.clone(),
    }
}

fn without_the_last(changes: &Changes) -> Changes {
    if only_values(changes).is_none() {
        return changes.clone();
    }
    let mut copy = Changes::new(changes.operation(), changes.era());
    let kept = changes.values().count() - 1;
    changes.values().take(kept).for_each(|(key, change)| copy.change(key.into(), change.clone()));
    copy
}

fn without_conditions(changes: &Changes, held: &Record, now: Stamp) -> Changes {
    if only_values(changes).is_none() {
        return changes.clone();
    }
    let mut copy = Changes::new(now, changes.era());
    for (key, change) in changes.values() {
        let seen = held.era().and_then(|era| era.entry(key)).map(|entry| entry.stamp());
        match change {
            ValueChange::Update { value, .. } => copy.update(key, seen, value.clone()),
            other => copy.change(key.into(), other.clone()),
        }
    }
    copy
}

fn keeping_everything(changes: &Changes) -> Changes {
    let mut copy = copied(changes, changes.operation(), changes.era());
    if let Some(new) = changes.new_era() {
        copy.open_era(new.clone().keep(Keep::All));
    }
    copy
}
