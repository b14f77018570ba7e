//! Creation.

use std::time::Duration;

use abide_core::{CreateOptions, EndReason, EndUserOptions, ErrorKind, Record};

use crate::case::{Failure, Verdict, cases, claim, claim_eq, refused};
use crate::stage::{Live, Stage, TICK};

const MINUTE: Duration = Duration::from_secs(60);
/// How long a creation is remembered at least.
const REMEMBERED: Duration = Duration::from_secs(600);

cases! {
    a_create_under_a_free_key_stores_the_record_and_answers_it:
        "A free key: stores the record and answers it.";
    a_create_under_a_live_key_is_refused_and_changes_nothing:
        "A live session under the key: Exists, and nothing changes";
    a_create_that_meets_itself_answers_what_is_stored:
        "but where it has the same created stamp, this creation has met itself: answers what is stored.",
        "race: a retried create that meets itself is fine";
    a_create_under_an_ended_key_is_refused:
        "A session under the key that is remembered as over: Ended.";
    a_create_that_comes_again_does_not_revive_a_session_that_expired_early:
        "One that expired is remembered for at least ten minutes from its creation, for that may be sent twice and \
         arrive late.";
    a_create_of_a_record_that_is_over_is_refused:
        "A record that is over already: Ended.";
    a_create_for_a_user_ended_after_it_began_is_refused:
        "A user whose sessions were all ended after CreateOptions::began: Superseded.";
    a_create_above_the_limit_is_refused_and_stores_nothing:
        "A record above CreateOptions::max_weight: TooLarge.";
    a_full_store_refuses_and_keeps_what_it_has:
        "No room: Full.";
}

async fn a_create_under_a_free_key_stores_the_record_and_answers_it(s: Stage) -> Verdict {
    let token = s.token();
    let record =
        Record::create(s.new_record(&token).user(s.user("ada"), s.now()).value("a", b"1".as_slice()));
    let answer = s.store().create(token.key(), record.clone(), &CreateOptions::default()).await?;
    claim_eq!(*answer.record, record, "the record that was answered");
    let stored = s.store().load(token.key(), &s.look()).await?;
    let stored = stored.ok_or_else(|| Failure::broken("it loads as none"))?;
    claim_eq!(*stored.record, record, "the record that was stored");
    claim_eq!(stored.version, answer.version, "the version that was stored");
    Ok(())
}

async fn a_create_under_a_live_key_is_refused_and_changes_nothing(s: Stage) -> Verdict {
    let live = s.open().await?;
    let record =
        Record::create(s.new_record(&live.token).user(s.user("eve"), s.now()).value("a", b"2".as_slice()));
    let answer = s.store().create(live.key(), record, &CreateOptions::default()).await;
    refused(answer, &[ErrorKind::Exists], "another session under the key")?;
    let held = s.held(&live).await?;
    claim_eq!(held.record, live.created.record, "the session that was there");
    claim_eq!(s.keys_of(&s.user("eve")).await?, [], "the sessions of the user who was refused");
    Ok(())
}

async fn a_create_that_meets_itself_answers_what_is_stored(s: Stage) -> Verdict {
    let token = s.token();
    let record = Record::create(s.new_record(&token));
    let live = Live {
        token,
        created: s.store().create(token.key(), record.clone(), &CreateOptions::default()).await?,
    };
    let at_once = s.store().create(token.key(), record.clone(), &CreateOptions::default()).await?;
    claim_eq!(at_once.record, live.created.record, "the answer of a retry at once");
    s.set(&live, "a", b"1").await?;
    let later = s.store().create(token.key(), record, &CreateOptions::default()).await?;
    claim_eq!(later.record.value("a"), Some(&b"1"[..]), "a value written in between, in the answer");
    claim_eq!(s.held(&live).await?.record, later.record, "what is stored");
    Ok(())
}

async fn a_create_under_an_ended_key_is_refused(s: Stage) -> Verdict {
    let live = s.open().await?;
    s.end(&live).await?;
    let answer = s.open_as(live.token, s.new_record(&live.token)).await;
    refused(answer, &[ErrorKind::Ended], "a creation under the key of an ended session")?;
    claim!(!s.is_live(&live).await?, "the ended session is live");
    Ok(())
}

async fn a_create_that_comes_again_does_not_revive_a_session_that_expired_early(s: Stage) -> Verdict {
    let token = s.token();
    let record = Record::create(s.new_record(&token).user(s.user("ada"), s.now()));
    let created = s.store().create(token.key(), record.clone(), &CreateOptions::default()).await?;
    let live = Live { token, created };
    let mut shorter = s.changes(&live.created.record);
    shorter.set_idle_timeout(MINUTE);
    s.commit(&live, &shorter).await?;
    for wait in [2 * MINUTE, REMEMBERED - 2 * MINUTE - TICK] {
        s.pass(wait).await?;
        // Whatever a store does by time, it does it when others come by.
        s.open().await?;
        let again = s.store().create(live.key(), record.clone(), &CreateOptions::default()).await;
        refused(again, &[ErrorKind::Ended], "the creation, once more after the session expired")?;
        claim!(!s.is_live(&live).await?, "the session that expired is live");
    }
    claim_eq!(s.keys_of(&s.user("ada")).await?, [], "the user's sessions");
    Ok(())
}

async fn a_create_of_a_record_that_is_over_is_refused(s: Stage) -> Verdict {
    let ended = Record::ended(s.stamp(), s.now(), EndReason::LoggedOut);
    let token = s.token();
    let began = s.now();
    let hard = s.new_record(&token).hard_deadline(began);
    let idle = s.new_record(&token).idle_timeout(Duration::ZERO);
    for (record, which) in
        [(ended, "ended"), (Record::create(hard), "late"), (Record::create(idle), "unused")]
    {
        let key = *s.token().key();
        let answer = s.store().create(&key, record, &CreateOptions::default()).await;
        refused(answer, &[ErrorKind::Ended], which)?;
        claim!(s.store().load(&key, &s.look()).await?.is_none(), "{which}: the session is live");
    }
    Ok(())
}

async fn a_create_for_a_user_ended_after_it_began_is_refused(s: Stage) -> Verdict {
    let (user, token) = (s.user("ada"), s.token());
    let began = CreateOptions::default().began(s.now());
    s.pass(TICK).await?;
    s.store().end_user(&user, &EndUserOptions::default()).await?;
    let record = Record::create(s.new_record(&token).user(user.as_str(), s.now()));
    let answer = s.store().create(token.key(), record, &began).await;
    refused(answer, &[ErrorKind::Superseded], "a session of a request that began before")?;
    claim!(s.store().load(token.key(), &s.look()).await?.is_none(), "the refused session is live");
    claim_eq!(s.keys_of(&user).await?, [], "the user's sessions");
    Ok(())
}

async fn a_create_above_the_limit_is_refused_and_stores_nothing(s: Stage) -> Verdict {
    let token = s.token();
    let record = Record::create(s.new_record(&token).value("a", [7; 500].as_slice()));
    let weight = record.weight();
    let tight = CreateOptions::default().max_weight(weight - 1);
    refused(
        s.store().create(token.key(), record.clone(), &tight).await,
        &[ErrorKind::TooLarge],
        "one byte above",
    )?;
    claim!(s.store().load(token.key(), &s.look()).await?.is_none(), "the refused session is live");
    s.store().create(token.key(), record, &CreateOptions::default().max_weight(weight)).await?;
    Ok(())
}

async fn a_full_store_refuses_and_keeps_what_it_has(s: Stage) -> Verdict {
    let Some(bound) = s.subject().bound else {
        return Err(Failure::Skipped("the subject names no bound".into()));
    };
    let mut sessions = Vec::new();
    for n in 0..bound {
        // Of users, for a store may let a session of nobody go.
        sessions.push(s.open_for(&s.user(&format!("user {n}"))).await?);
    }
    let token = s.token();
    let more = s.open_as(token, s.new_record(&token).user(s.user("one more"), s.now())).await;
    refused(more, &[ErrorKind::Full], "one session more than there is room for")?;
    for live in &sessions {
        claim!(s.is_live(live).await?, "a session is gone from a full store");
    }
    Ok(())
}
