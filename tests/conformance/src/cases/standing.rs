//! Ready, capabilities, drain.

use std::collections::BTreeSet;
use std::time::Duration;

use abide_core::{Error, ErrorKind, Metric, MetricKind, Readiness};

use crate::case::{Failure, Verdict, cases, claim, claim_eq};
use crate::stage::{Stage, TICK};

const DEADLINE: Duration = Duration::from_secs(5);

cases! {
    a_store_in_reach_is_ready:
        "Whether the store can serve now.";
    capabilities_stay_the_same:
        "What the store can do.";
    a_counter_never_goes_down_and_each_name_stands_once:
        "What the store counts about itself, each name once, in an order that stays the same; a counter never goes down.",
        "It MUST NOT block, and answers also while the store is out of reach.";
    a_draining_store_reads_and_loses_no_write_that_it_took:
        "Hands over what only this process holds, within deadline.",
        "Meanwhile and afterwards it answers reads as before.",
        "It takes writes too, unless they would be lost: such a one is Unavailable, so that what was handed over is \
         what everybody saw last.",
        "One that is under way when the drain is done may be Ambiguous.";
    a_drain_that_fails_leaves_the_store_as_it_was:
        "A drain that fails leaves the store as it was.";
    a_drain_counts_every_live_session_at_most_once:
        "Hands over what only this process holds";
    a_shared_store_leaves_nothing_behind:
        "A store that holds nothing alone answers at once.";
}

async fn a_store_in_reach_is_ready(s: Stage) -> Verdict {
    for store in s.handles() {
        claim_eq!(store.ready().await, Readiness::Ready, "whether the store can serve");
    }
    Ok(())
}

async fn capabilities_stay_the_same(s: Stage) -> Verdict {
    let before = s.store().capabilities();
    let live = s.open().await?;
    s.end(&live).await?;
    claim_eq!(s.store().capabilities(), before, "what the store can do, later");
    Ok(())
}

async fn a_counter_never_goes_down_and_each_name_stands_once(s: Stage) -> Verdict {
    let before = s.store().metrics();
    let live = s.open().await?;
    s.load(&live).await?;
    s.end(&live).await?;
    let after = s.store().metrics();
    let names = |metrics: &[Metric]| metrics.iter().map(Metric::name).collect::<Vec<_>>();
    claim_eq!(names(&after), names(&before), "the names of the metrics, later");
    let different: BTreeSet<_> = names(&after).into_iter().collect();
    claim_eq!(different.len(), after.len(), "different names");
    let counters = before.iter().zip(&after).filter(|(metric, _)| metric.kind() == MetricKind::Counter);
    for (before, after) in counters {
        claim!(after.value() >= before.value(), "the counter {} went down", after.name());
    }
    Ok(())
}

/// Whether a write was taken, `None` where nobody knows. A store that is drained may refuse it as unavailable; while the drain is
/// under way the write may be cut off.
fn taken<T>(answer: Result<T, Error>, what: &str, is_under_way: bool) -> Result<Option<bool>, Failure> {
    match answer {
        Ok(_) => Ok(Some(true)),
        Err(error) if error.kind() == ErrorKind::Unavailable => Ok(Some(false)),
        Err(error) if error.kind() == ErrorKind::Ambiguous && is_under_way => Ok(None),
        Err(error) => Err(Failure::broken(format!("{what} during the drain: {error}"))),
    }
}

async fn a_draining_store_reads_and_loses_no_write_that_it_took(s: Stage) -> Verdict {
    let user = s.user("ada");
    let (live, doomed) = (s.open_for(&user).await?, s.open_for(&user).await?);
    let draining = s.clone();
    let mut drain = Box::pin(async move { draining.store().drain(DEADLINE).await });
    let mut done = crate::together::polled_at_most(1, &mut drain).await;
    // While it is under way, and once it is done.
    for round in 0..2_u8 {
        let set = s.commit(&live, &s.setting(&s.held(&live).await?.record, "a", &[round])).await;
        if taken(set, "a set", done.is_none())? == Some(true) {
            claim_eq!(s.held(&live).await?.record.value("a"), Some(&[round][..]), "a value that was taken");
        }
        let token = s.token();
        let created = s.open_as(token, s.new_record(&token).user(user.as_str(), s.now())).await;
        if taken(created, "a creation", done.is_none())? == Some(true) {
            claim!(
                s.store().load(token.key(), &s.look()).await?.is_some(),
                "a session that was taken is missing"
            );
            claim!(s.keys_of(&user).await?.contains(token.key()), "it is not in its user's list");
        }
        let before = s.is_live(&doomed).await?;
        if let Some(ended) = taken(s.end(&doomed).await, "an end", done.is_none())? {
            claim_eq!(s.is_live(&doomed).await?, before && !ended, "whether a session is live");
        }
        if done.is_none() {
            done = Some((&mut drain).await);
        }
    }
    claim!(done.is_some_and(|drained| drained.is_ok()), "the drain failed");
    Ok(())
}

async fn a_drain_that_fails_leaves_the_store_as_it_was(s: Stage) -> Verdict {
    let Some(outage) = s.subject().outage.clone() else {
        return Err(Failure::Skipped("the subject cannot be cut off".into()));
    };
    let live = s.open().await?;
    outage.begin().await;
    let drained = s.store().drain(DEADLINE).await;
    outage.end().await;
    if drained.is_err() {
        s.set(&live, "a", b"1").await?;
        s.open().await?;
    }
    Ok(())
}

async fn a_drain_counts_every_live_session_at_most_once(s: Stage) -> Verdict {
    let token = s.token();
    s.open_as(token, s.new_record(&token).idle_timeout(TICK)).await?;
    let ended = s.open().await?;
    s.end(&ended).await?;
    for n in 0..5 {
        s.open_for(&s.user(&format!("user {n}"))).await?;
    }
    s.pass(TICK).await?;
    let drained = s.store().drain(DEADLINE).await?;
    let counted = drained.handed_over + drained.left_behind;
    claim!(counted <= 5, "{counted} sessions were drained, and 5 were live");
    let alone = !s.store().capabilities().shared && !s.store().capabilities().durable;
    claim!(
        !alone || counted == 5,
        "{counted} of the 5 sessions that only this process holds are accounted for"
    );
    Ok(())
}

async fn a_shared_store_leaves_nothing_behind(s: Stage) -> Verdict {
    if !s.store().capabilities().shared {
        return Err(Failure::Skipped("the store holds its sessions alone".into()));
    }
    let live = s.open().await?;
    let drained = s.store().drain(DEADLINE).await?;
    claim_eq!(drained.left_behind, 0, "how many sessions end with the process");
    let handles = s.handles().count();
    let held = s.held_by(handles - 1, &live).await?;
    claim_eq!(held.record, live.created.record, "the session, seen by those who stay");
    Ok(())
}
