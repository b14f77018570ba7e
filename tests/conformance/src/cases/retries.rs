//! The same operation asked for again.

use abide_core::{CommitOptions, ErrorKind, SecretState};

use crate::case::{Verdict, cases, claim, claim_eq, refused};
use crate::stage::{Stage, number, worth};

cases! {
    changes_asked_for_twice_are_applied_once:
        "An operation that was applied before: answers what is stored, and applies nothing.",
        "race: the library retries an operation: applied once";
    a_retried_write_does_not_undo_a_later_one:
        "An operation that was applied before: answers what is stored, and applies nothing.";
    a_retried_removal_does_not_undo_a_later_write:
        "An operation that was applied before: answers what is stored, and applies nothing.";
    a_retried_update_finds_itself_among_others:
        "asking again with the same arguments and retry set MUST NOT apply it twice.",
        "An operation that was applied before: answers what is stored, and applies nothing.";
    an_update_retried_long_after_is_not_applied_twice:
        "asking again with the same arguments and retry set MUST NOT apply it twice.";
    a_retried_login_finds_itself:
        "An operation that was applied before: answers what is stored, and applies nothing.";
    a_retried_end_is_no_error:
        "A session that is missing or over is no error";
}

async fn changes_asked_for_twice_are_applied_once(s: Stage) -> Verdict {
    let live = s.open().await?;
    let mut changes = s.updating(&live.created.record, "count", b"1");
    changes.set("a", b"1".as_slice());
    changes.set_idle_timeout(crate::stage::IDLE / 2);
    let first = s.commit(&live, &changes).await?;
    for retry in [true, false] {
        let again = s.commit_with(&live, &changes, &CommitOptions::default().retry(retry)).await?;
        claim_eq!(again.record, first.record, "the answer to the same changes");
    }
    claim_eq!(s.held(&live).await?.record, first.record, "what is stored");
    Ok(())
}

async fn a_retried_write_does_not_undo_a_later_one(s: Stage) -> Verdict {
    let live = s.open().await?;
    let first = s.setting(&live.created.record, "a", b"one");
    s.commit(&live, &first).await?;
    s.set(&live, "a", b"two").await?;
    let again = s.retry(&live, &first).await?;
    claim_eq!(again.record.value("a"), Some(&b"two"[..]), "the value in the answer");
    claim_eq!(s.held(&live).await?.record.value("a"), Some(&b"two"[..]), "the value that is stored");
    Ok(())
}

async fn a_retried_removal_does_not_undo_a_later_write(s: Stage) -> Verdict {
    let live = s.open().await?;
    let held = s.set(&live, "a", b"one").await?;
    let mut removal = s.changes(&held.record);
    removal.remove("a");
    let removed = s.commit(&live, &removal).await?;
    claim_eq!(removed.record.value("a"), None, "the removed value");
    s.set(&live, "a", b"two").await?;
    let again = s.retry(&live, &removal).await?;
    claim_eq!(again.record.value("a"), Some(&b"two"[..]), "the value in the answer");
    claim_eq!(s.held(&live).await?.record.value("a"), Some(&b"two"[..]), "the value that is stored");
    Ok(())
}

/// `count` updates, each by what the one before came to.
async fn count_on(s: &Stage, live: &crate::stage::Live, count: u64) -> Verdict {
    for _ in 0..count {
        s.persist(0, live, |s, record| {
            let next = number(record, "count") + 1;
            s.updating(record, "count", next.to_string().as_bytes())
        })
        .await?;
    }
    Ok(())
}

async fn a_retried_update_finds_itself_among_others(s: Stage) -> Verdict {
    let live = s.open().await?;
    let first = s.updating(&live.created.record, "count", b"1");
    s.commit(&live, &first).await?;
    count_on(&s, &live, 8).await?;
    let again = s.retry(&live, &first).await?;
    claim_eq!(number(&again.record, "count"), 9, "the count in the answer");
    claim_eq!(number(&s.held(&live).await?.record, "count"), 9, "the count that is stored");
    Ok(())
}

async fn an_update_retried_long_after_is_not_applied_twice(s: Stage) -> Verdict {
    let live = s.open().await?;
    let first = s.updating(&live.created.record, "count", b"1");
    s.commit(&live, &first).await?;
    count_on(&s, &live, 40).await?;
    // Whether it was applied may be forgotten by now; that it was not may not be pretended.
    let answer = s.retry(&live, &first).await;
    if answer.is_err() {
        refused(answer, &[ErrorKind::Ambiguous], "an update retried long after")?;
    }
    claim_eq!(number(&s.held(&live).await?.record, "count"), 41, "the count that is stored");
    Ok(())
}

async fn a_retried_login_finds_itself(s: Stage) -> Verdict {
    let (live, user) = (s.open().await?, s.user("ada"));
    let token = s.secret_for(&live);
    let login = s.login(&live.created.record, &token, &user);
    s.commit(&live, &login).await?;
    let written = s.set(&live, "a", b"1").await?;
    let again = s.retry(&live, &login).await?;
    claim_eq!(again.record, written.record, "the answer to the login, asked again");
    claim_eq!(worth(&again.record, &token, s.now()), SecretState::Current, "the login's secret");
    claim_eq!(s.keys_of(&user).await?, [*live.key()], "the user's sessions");
    Ok(())
}

async fn a_retried_end_is_no_error(s: Stage) -> Verdict {
    let live = s.open().await?;
    s.end(&live).await?;
    for store in s.handles() {
        let again = store.end(live.key(), abide_core::EndReason::LoggedOut, &Default::default()).await?;
        claim!(!again.was_live, "an end found the session live that it had ended");
    }
    Ok(())
}
