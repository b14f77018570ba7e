//! A store out of reach.

use std::sync::Arc;

use abide_core::{
    CommitOptions, CreateOptions, EndOptions, EndReason, EndUserOptions, ErrorKind, LoadOptions, Page, Peek,
    Readiness, Record,
};

use crate::case::{Failure, Verdict, cases, claim, claim_eq, refused};
use crate::stage::{Stage, number};
use crate::subject::Outage;

/// What a store out of reach may answer.
const OUT_OF_REACH: [ErrorKind; 2] = [ErrorKind::Unavailable, ErrorKind::Ambiguous];

cases! {
    a_store_out_of_reach_says_so_and_answers_nothing_else:
        "An operation that was not sent, or was refused, is Unavailable; one that may have happened is Ambiguous";
    what_was_unavailable_did_not_happen_and_is_applied_once_when_asked_again:
        "one that may have happened is Ambiguous, and asking again with the same arguments and retry set MUST NOT \
         apply it twice.";
    a_store_out_of_reach_is_not_ready:
        "Whether the store can serve now.";
}

fn outage(s: &Stage) -> Result<Arc<dyn Outage>, Failure> {
    s.subject().outage.clone().ok_or_else(|| Failure::Skipped("the subject cannot be cut off".into()))
}

async fn a_store_out_of_reach_says_so_and_answers_nothing_else(s: Stage) -> Verdict {
    let outage = outage(&s)?;
    let (live, user, token) = (s.open().await?, s.user("ada"), s.token());
    let changes = s.setting(&live.created.record, "a", b"1");
    let record = Record::create(s.new_record(&token));
    outage.begin().await;
    let store = s.store();
    refused(store.load(live.key(), &LoadOptions::default().fresh(true)).await, &OUT_OF_REACH, "a load")?;
    claim!(!matches!(store.peek(live.key()), Peek::Absent), "a live session peeks as absent");
    refused(s.commit(&live, &changes).await, &OUT_OF_REACH, "a commit")?;
    refused(store.create(token.key(), record, &CreateOptions::default()).await, &OUT_OF_REACH, "a create")?;
    refused(
        store.end(live.key(), EndReason::LoggedOut, &EndOptions::default()).await,
        &OUT_OF_REACH,
        "an end",
    )?;
    refused(store.of_user(&user, &Page::default()).await, &OUT_OF_REACH, "a user's sessions")?;
    refused(store.end_user(&user, &EndUserOptions::default()).await, &OUT_OF_REACH, "the end of a user's")?;
    refused(store.end_all(EndReason::EndedByAdministrator).await, &OUT_OF_REACH, "the end of all")?;
    outage.end().await;
    Ok(())
}

async fn what_was_unavailable_did_not_happen_and_is_applied_once_when_asked_again(s: Stage) -> Verdict {
    let outage = outage(&s)?;
    let live = s.open().await?;
    let changes = s.updating(&live.created.record, "count", b"1");
    outage.begin().await;
    let answer = s.commit(&live, &changes).await;
    outage.end().await;
    if answer.as_ref().err().map(abide_core::Error::kind) == Some(ErrorKind::Unavailable) {
        claim_eq!(number(&s.held(&live).await?.record, "count"), 0, "the count after an unavailable update");
    }
    refused(answer, &OUT_OF_REACH, "an update")?;
    for _ in 0..2 {
        let done = s.commit_with(&live, &changes, &CommitOptions::default().retry(true)).await?;
        claim_eq!(number(&done.record, "count"), 1, "the count");
    }
    Ok(())
}

async fn a_store_out_of_reach_is_not_ready(s: Stage) -> Verdict {
    let outage = outage(&s)?;
    outage.begin().await;
    let during = s.store().ready().await;
    outage.end().await;
    claim!(matches!(during, Readiness::NotReady(_)), "the store is ready while it is out of reach");
    claim_eq!(s.store().ready().await, Readiness::Ready, "whether it can serve afterwards");
    Ok(())
}
