//! Ready, capabilities, drain.

use std::time::Duration;

use abide_core::Readiness;

use crate::case::{Failure, Verdict, cases, claim, claim_eq};
use crate::stage::{Stage, TICK};

const DEADLINE: Duration = Duration::from_secs(5);

cases! {
    a_store_in_reach_is_ready:
        "Whether the store can serve now.";
    capabilities_stay_the_same:
        "What the store can do.";
    a_draining_store_refuses_nothing:
        "Hands over what only this process holds, within deadline, and refuses nothing meanwhile.";
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

async fn a_draining_store_refuses_nothing(s: Stage) -> Verdict {
    let user = s.user("ada");
    let live = s.open_for(&user).await?;
    let draining = s.clone();
    let mut drain = Box::pin(async move { draining.store().drain(DEADLINE).await });
    let done = crate::together::polled_at_most(1, &mut drain).await;
    s.set(&live, "a", b"1").await?;
    let other = s.open_for(&user).await?;
    claim_eq!(s.keys_of(&user).await?.len(), 2, "how many sessions the user has");
    claim!(s.end(&other).await?.was_live, "a session created during the drain was over");
    if done.is_none() {
        drain.await?;
    }
    let held = s.held(&live).await?;
    claim_eq!(held.record.value("a"), Some(&b"1"[..]), "the value written during the drain");
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
