//! Futures dropped before they resolved.
//!
//! A future is polled a few times and dropped. What it was about must then be done or not done, and nothing may be
//! left in the way of those who come after.

use abide_core::{CommitOptions, CreateOptions, EndOptions, EndReason, EndUserOptions, Record};

use crate::case::{Failure, Verdict, cases, claim, claim_eq};
use crate::stage::Stage;
use crate::together::polled_at_most;

/// A future is dropped after each of these numbers of polls.
const POLLS: std::ops::Range<usize> = 0..5;

cases! {
    a_dropped_commit_happens_whole_or_not_at_all_and_locks_nothing:
        "Dropping a future before it resolved leaves the operation undecided: it may still happen, once.",
        "It MUST NOT leave anything locked, and it MUST NOT happen in part.";
    a_dropped_update_asked_for_again_is_applied_once:
        "it may still happen, once.";
    a_dropped_create_locks_nothing:
        "It MUST NOT leave anything locked, and it MUST NOT happen in part.";
    a_dropped_end_locks_nothing:
        "It MUST NOT leave anything locked";
    a_dropped_end_of_a_user_locks_nothing:
        "It MUST NOT leave anything locked";
}

async fn a_dropped_commit_happens_whole_or_not_at_all_and_locks_nothing(s: Stage) -> Verdict {
    for polls in POLLS {
        let live = s.open().await?;
        let mut changes = s.setting(&live.created.record, "a", b"1");
        changes.set("b", b"1".as_slice());
        changes.set("c", b"1".as_slice());
        let options = CommitOptions::default();
        let commit = s.store().commit(live.key(), live.created.version, &changes, &options);
        polled_at_most(polls, commit).await;
        let held = s.held(&live).await?;
        let there = ["a", "b", "c"].map(|key| held.record.value(key).is_some());
        claim!(there == [true; 3] || there == [false; 3], "a commit happened in part: {there:?}");
        s.set(&live, "d", b"1").await?;
        s.end(&live).await?;
    }
    Ok(())
}

async fn a_dropped_update_asked_for_again_is_applied_once(s: Stage) -> Verdict {
    for polls in POLLS {
        let live = s.open().await?;
        let changes = s.updating(&live.created.record, "count", b"1");
        let options = CommitOptions::default();
        let commit = s.store().commit(live.key(), live.created.version, &changes, &options);
        polled_at_most(polls, commit).await;
        let done = s.retry(&live, &changes).await?;
        claim_eq!(crate::stage::number(&done.record, "count"), 1, "the count");
        let again = s.retry(&live, &changes).await?;
        claim_eq!(again.record, done.record, "the record after one retry more");
    }
    Ok(())
}

async fn a_dropped_create_locks_nothing(s: Stage) -> Verdict {
    for polls in POLLS {
        let (token, user) = (s.token(), s.user(&format!("ada {polls}")));
        let record = Record::create(s.new_record(&token).user(user.as_str(), s.now()));
        let options = CreateOptions::default();
        polled_at_most(polls, s.store().create(token.key(), record.clone(), &options)).await;
        // Asked again, it meets itself or a free key.
        let created = s.store().create(token.key(), record.clone(), &options).await?;
        claim_eq!(*created.record, record, "the session that was asked for again");
        claim_eq!(s.keys_of(&user).await?, [*token.key()], "the user's sessions");
    }
    Ok(())
}

async fn a_dropped_end_locks_nothing(s: Stage) -> Verdict {
    for polls in POLLS {
        let live = s.open_for(&s.user("ada")).await?;
        polled_at_most(polls, s.store().end(live.key(), EndReason::LoggedOut, &EndOptions::default())).await;
        s.load(&live).await?;
        s.end(&live).await?;
        claim!(!s.is_live(&live).await?, "the session is live after it was ended again");
    }
    claim_eq!(s.keys_of(&s.user("ada")).await?, [], "the user's sessions");
    Ok(())
}

async fn a_dropped_end_of_a_user_locks_nothing(s: Stage) -> Verdict {
    for polls in POLLS {
        let user = s.user(&format!("ada {polls}"));
        let sessions = [s.open_for(&user).await?, s.open_for(&user).await?];
        polled_at_most(polls, s.store().end_user(&user, &EndUserOptions::default())).await;
        s.store().end_user(&user, &EndUserOptions::default()).await.map_err(Failure::from)?;
        for live in &sessions {
            claim!(!s.is_live(live).await?, "a session is live after the user's were ended again");
        }
        let later = s.open_for(&user).await?;
        claim_eq!(s.keys_of(&user).await?, [*later.key()], "the user's sessions");
    }
    Ok(())
}
