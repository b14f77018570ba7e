//! When a session is live and when it is over.

use std::time::Duration;

use abide_core::{ErrorKind, Peek};

use crate::case::{Failure, Verdict, cases, claim, claim_eq, refused};
use crate::stage::{IDLE, Live, Stage, TICK};

const MINUTE: Duration = Duration::from_secs(60);

cases! {
    a_session_is_live_from_its_creation_until_its_deadline:
        "A session is live from its creation until it is ended or now reaches its deadline; from then on it is over.";
    a_session_past_its_deadline_is_over_before_any_sweep:
        "A store MUST treat a session that is past its deadline as over, whether or not it has been swept.";
    a_slide_moves_the_deadline:
        "A session is live from its creation until it is ended or now reaches its deadline";
    a_session_never_outlives_its_hard_deadline:
        "A session is live from its creation until it is ended or now reaches its deadline",
        "race: any write ‖ logout, or deadline: over";
    a_shorter_idle_timeout_counts_at_once:
        "A session is live from its creation until it is ended or now reaches its deadline";
    a_new_era_brings_its_own_hard_deadline:
        "A session is live from its creation until it is ended or now reaches its deadline";
}

async fn lives(s: &Stage, live: &Live, when: &str) -> Verdict {
    claim!(s.is_live(live).await?, "{when}: the session is over");
    Ok(())
}

async fn is_over(s: &Stage, live: &Live, when: &str) -> Verdict {
    claim!(!s.is_live(live).await?, "{when}: the session is live");
    Ok(())
}

/// That the session is used now.
async fn slide(s: &Stage, live: &Live) -> Verdict {
    let held = s.held(live).await?;
    let mut changes = s.changes(&held.record);
    changes.seen_at(s.now());
    s.commit(live, &changes).await?;
    Ok(())
}

async fn a_session_is_live_from_its_creation_until_its_deadline(s: Stage) -> Verdict {
    let live = s.open().await?;
    lives(&s, &live, "at its creation").await?;
    s.pass(IDLE - TICK).await?;
    lives(&s, &live, "just before its deadline").await?;
    s.pass(TICK).await?;
    is_over(&s, &live, "at its deadline").await
}

async fn a_session_past_its_deadline_is_over_before_any_sweep(s: Stage) -> Verdict {
    let user = s.user("ada");
    let live = s.open_for(&user).await?;
    let late = s.setting(&live.created.record, "a", b"1");
    s.pass(IDLE).await?;
    claim!(!matches!(s.store().peek(live.key()), Peek::Found(_)), "a peek finds it");
    claim_eq!(s.keys_of(&user).await?, [], "the user's sessions");
    let over = [ErrorKind::Ended, ErrorKind::Missing];
    refused(s.commit(&live, &late).await, &over, "a commit")?;
    claim!(!s.end(&live).await?.was_live, "an end says that it was live");
    is_over(&s, &live, "after its deadline").await
}

async fn a_slide_moves_the_deadline(s: Stage) -> Verdict {
    let live = s.open().await?;
    s.pass(IDLE - MINUTE).await?;
    slide(&s, &live).await?;
    s.pass(IDLE - TICK).await?;
    lives(&s, &live, "before the deadline that the slide set").await?;
    s.pass(TICK).await?;
    is_over(&s, &live, "at the deadline that the slide set").await
}

async fn a_session_never_outlives_its_hard_deadline(s: Stage) -> Verdict {
    let token = s.token();
    let hard = s.now() + IDLE + 2 * MINUTE;
    let live = s.open_as(token, s.new_record(&token).hard_deadline(hard)).await?;
    s.pass(IDLE - MINUTE).await?;
    slide(&s, &live).await?;
    s.pass(3 * MINUTE - TICK).await?;
    lives(&s, &live, "before its hard deadline").await?;
    slide(&s, &live).await?;
    let late = s.setting(&s.held(&live).await?.record, "a", b"1");
    s.pass(TICK).await?;
    refused(
        s.commit(&live, &late).await,
        &[ErrorKind::Ended, ErrorKind::Missing],
        "a write at the deadline",
    )?;
    is_over(&s, &live, "at its hard deadline").await
}

async fn a_shorter_idle_timeout_counts_at_once(s: Stage) -> Verdict {
    let live = s.open().await?;
    let mut changes = s.changes(&live.created.record);
    changes.set_idle_timeout(MINUTE);
    s.commit(&live, &changes).await?;
    s.pass(MINUTE - TICK).await?;
    lives(&s, &live, "before its shorter deadline").await?;
    s.pass(TICK).await?;
    is_over(&s, &live, "at its shorter deadline").await
}

/// Opens an era without a user that ends at most `life` from now.
async fn reopen(s: &Stage, live: &Live, life: Duration) -> Result<Live, Failure> {
    let held = s.held(live).await?;
    let token = s.secret_for(live);
    let mut changes = s.changes(&held.record);
    let mut era = s.new_era(&token);
    era.hard_deadline = s.now() + life;
    changes.open_era(era);
    changes.seen_at(s.now());
    let created = s.commit(live, &changes).await?;
    Ok(Live { token, created })
}

async fn a_new_era_brings_its_own_hard_deadline(s: Stage) -> Verdict {
    let token = s.token();
    let short = s.new_record(&token).hard_deadline(s.now() + MINUTE);
    let (longer, shorter) = (s.open_as(token, short).await?, s.open().await?);
    reopen(&s, &longer, 3 * MINUTE).await?;
    reopen(&s, &shorter, 2 * MINUTE).await?;
    s.pass(2 * MINUTE).await?;
    lives(&s, &longer, "past the deadline of the era before").await?;
    is_over(&s, &shorter, "at the deadline of the new era").await?;
    s.pass(MINUTE).await?;
    is_over(&s, &longer, "at the longer deadline of the new era").await
}
