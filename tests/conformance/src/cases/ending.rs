//! Ends.

use std::time::Duration;

use abide_core::{CommitOptions, CreateOptions, EndOptions, EndReason, ErrorKind, Record};

use crate::case::{Verdict, cases, claim, claim_eq, refused};
use crate::stage::{IDLE, Stage, TICK};
use crate::together::give_way;

/// How long an end is remembered at least.
const REMEMBERED: Duration = Duration::from_secs(600);

cases! {
    an_end_beats_commits_under_way:
        "Ends a session, whatever else is under way",
        "race: any write ‖ logout, or deadline: over";
    an_end_beats_a_commit_that_began_before_it:
        "Ends a session, whatever else is under way: no commit and no retried create brings it back.";
    no_retried_create_brings_an_ended_session_back:
        "no commit and no retried create brings it back.";
    an_end_says_whether_there_was_a_live_session:
        "A session that is missing or over is no error; the answer says whether there was a live one.";
    an_end_is_remembered_for_ten_minutes:
        "The end is remembered for at least ten minutes";
    an_end_of_a_key_that_was_not_found_is_remembered:
        "also for a key that was not found, for its creation may be late.";
    an_ended_session_leaves_its_users_list:
        "The live sessions of a user";
}

async fn an_end_beats_commits_under_way(s: Stage) -> Verdict {
    for _ in 0..8 {
        let live = s.open().await?;
        let session = live.clone();
        let answers = s
            .together(9, move |s, n| {
                let live = session.clone();
                async move {
                    if n == 4 {
                        give_way().await;
                        let ended =
                            s.handle(n).end(live.key(), EndReason::LoggedOut, &EndOptions::default()).await;
                        return ended.map(|_| ());
                    }
                    for round in 0..4_u8 {
                        let changes = s.setting(&live.created.record, &format!("{n}"), &[round]);
                        let store = s.handle(n);
                        store
                            .commit(live.key(), live.created.version, &changes, &CommitOptions::default())
                            .await?;
                        give_way().await;
                    }
                    Ok(())
                }
            })
            .await;
        for answer in answers {
            if let Err(error) = answer {
                claim!(error.is_over(), "a write beside a logout was refused otherwise: {error}");
            }
        }
        claim!(!s.is_live(&live).await?, "a write beside a logout brought the session back");
    }
    Ok(())
}

async fn an_end_beats_a_commit_that_began_before_it(s: Stage) -> Verdict {
    let live = s.open().await?;
    let changes = s.setting(&live.created.record, "a", b"1");
    // A commit that somebody began and nobody finished yet.
    let options = CommitOptions::default();
    let mut commit = s.store().commit(live.key(), live.created.version, &changes, &options);
    let done = crate::together::polled_at_most(1, &mut commit).await;
    // Through another task's eyes: an end must not wait for a commit that nobody drives, so both are driven.
    let ending = s.clone();
    let session = live.clone();
    let mut end = Box::pin(async move { ending.end(&session).await });
    let ended = crate::together::polled_at_most(1, &mut end).await;
    if done.is_none() {
        let answer = commit.await;
        let over = answer.as_ref().err().is_none_or(abide_core::Error::is_over);
        claim!(over, "the write was refused otherwise: {answer:?}");
    }
    if ended.is_none() {
        end.await?;
    }
    refused(
        s.commit(&live, &changes).await,
        &[ErrorKind::Ended, ErrorKind::Missing],
        "a write after the end",
    )?;
    claim!(!s.is_live(&live).await?, "the session is live after its end");
    Ok(())
}

async fn no_retried_create_brings_an_ended_session_back(s: Stage) -> Verdict {
    let token = s.token();
    let record = Record::create(s.new_record(&token).user(s.user("ada"), s.now()));
    s.store().create(token.key(), record.clone(), &CreateOptions::default()).await?;
    s.store().end(token.key(), EndReason::LoggedOut, &EndOptions::default()).await?;
    let again = s.store().create(token.key(), record, &CreateOptions::default()).await;
    refused(again, &[ErrorKind::Ended], "the creation, asked again after the end")?;
    claim!(s.store().load(token.key(), &s.look()).await?.is_none(), "the ended session is live");
    claim_eq!(s.keys_of(&s.user("ada")).await?, [], "the user's sessions");
    Ok(())
}

async fn an_end_says_whether_there_was_a_live_session(s: Stage) -> Verdict {
    let (live, expired) = (s.open().await?, s.open().await?);
    claim!(s.end(&live).await?.was_live, "a live session was none");
    claim!(!s.end(&live).await?.was_live, "a session that was ended before was live");
    let unknown = s.store().end(s.token().key(), EndReason::LoggedOut, &EndOptions::default()).await?;
    claim!(!unknown.was_live, "an unknown session was live");
    s.pass(IDLE).await?;
    claim!(!s.end(&expired).await?.was_live, "an expired session was live");
    Ok(())
}

async fn an_end_is_remembered_for_ten_minutes(s: Stage) -> Verdict {
    let live = s.open().await?;
    s.end(&live).await?;
    s.pass(REMEMBERED - TICK).await?;
    // Whatever a store does by time, it does it when others come by.
    s.open().await?;
    let again = s.open_as(live.token, s.new_record(&live.token)).await;
    refused(again, &[ErrorKind::Ended], "a creation nearly ten minutes after the end")?;
    claim!(!s.is_live(&live).await?, "the session is live");
    Ok(())
}

async fn an_end_of_a_key_that_was_not_found_is_remembered(s: Stage) -> Verdict {
    for wait in [Duration::ZERO, REMEMBERED - TICK] {
        let token = s.token();
        let late = Record::create(s.new_record(&token));
        s.store().end(token.key(), EndReason::LoggedOut, &EndOptions::default()).await?;
        if wait > Duration::ZERO {
            s.pass(wait).await?;
            s.open().await?;
        }
        let answer = s.store().create(token.key(), late, &CreateOptions::default()).await;
        refused(answer, &[ErrorKind::Ended], "a creation that came after its end")?;
        claim!(s.store().load(token.key(), &s.look()).await?.is_none(), "the session is live");
    }
    Ok(())
}

async fn an_ended_session_leaves_its_users_list(s: Stage) -> Verdict {
    let user = s.user("ada");
    let (ended, other) = (s.open_for(&user).await?, s.open_for(&user).await?);
    s.end(&ended).await?;
    claim_eq!(s.keys_of(&user).await?, [*other.key()], "the user's sessions");
    Ok(())
}
