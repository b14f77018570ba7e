//! A user's sessions, and the end of all of them.

use std::collections::BTreeSet;
use std::time::Duration;

use abide_core::{
    CommitOptions, EndReason, EndUserOptions, ErrorKind, Page, SessionKey, UserPage, UserSession,
};

use crate::case::{Failure, Verdict, cases, claim, claim_eq, refused};
use crate::stage::{IDLE, Live, Stage, TICK};
use crate::together::give_way;

cases! {
    a_user_without_sessions_has_an_empty_page:
        "a user without sessions has an empty page.";
    a_users_list_holds_their_live_sessions_and_no_other:
        "The live sessions of a user";
    a_login_enters_the_list_and_a_departure_leaves_it:
        "The live sessions of a user";
    pages_hold_every_session_once_and_in_one_order:
        "The live sessions of a user, a page at a time, in an order that stays the same while pages are fetched.",
        "How many sessions at the most; at least one is answered where there is one.";
    sessions_that_come_and_go_hide_no_other:
        "A session that was there before the first page and is live at the last one appears";
    sessions_that_expired_hide_no_other:
        "A session that was there before the first page and is live at the last one appears",
        "at least one is answered where there is one.";
    end_user_ends_every_session_of_the_user_and_no_other:
        "Ends every session of a user, but for EndUserOptions::except, and answers how many live ones there were.";
    end_user_spares_the_excepted_session:
        "but for EndUserOptions::except",
        "A session that was spared goes on with its user, also into a new era.";
    end_user_counts_no_session_that_was_over:
        "and answers how many live ones there were.";
    end_user_reaches_more_sessions_than_a_page_holds:
        "Ends every session of a user";
    end_user_of_a_user_without_sessions_refuses_earlier_logins:
        "From then on a login of this user whose request began earlier is refused, so that a login in flight does not \
         escape.";
    no_login_in_flight_escapes_end_user:
        "so that a login in flight does not escape.";
}

fn sorted(keys: impl IntoIterator<Item = SessionKey>) -> BTreeSet<SessionKey> {
    keys.into_iter().collect()
}

async fn page(s: &Stage, user: &str, after: Option<SessionKey>, limit: usize) -> Result<UserPage, Failure> {
    Ok(s.store().of_user(user, &Page::default().after(after).limit(limit)).await?)
}

async fn open_many(s: &Stage, user: &str, count: usize) -> Result<Vec<Live>, Failure> {
    let mut sessions = Vec::new();
    for _ in 0..count {
        sessions.push(s.open_for(user).await?);
    }
    Ok(sessions)
}

async fn end_user(s: &Stage, user: &str) -> Result<u64, Failure> {
    Ok(s.store().end_user(user, &EndUserOptions::default()).await?)
}

async fn a_user_without_sessions_has_an_empty_page(s: Stage) -> Verdict {
    s.open_for(&s.user("somebody else")).await?;
    let page = page(&s, &s.user("ada"), None, 10).await?;
    claim_eq!(page.sessions, [], "the sessions of a user without any");
    claim_eq!(page.next, None, "where the next page starts");
    Ok(())
}

async fn a_users_list_holds_their_live_sessions_and_no_other(s: Stage) -> Verdict {
    let user = s.user("ada");
    s.open().await?;
    s.open_for(&s.user("adam")).await?;
    let live = s.open_for(&user).await?;
    for store in s.handles() {
        let page = store.of_user(&user, &Page::default()).await?;
        let expected = UserSession::of(*live.key(), &live.created.record);
        claim_eq!(page.sessions, expected.into_iter().collect::<Vec<_>>(), "the user's sessions");
    }
    s.pass(IDLE).await?;
    claim_eq!(s.keys_of(&user).await?, [], "the sessions of a user after they expired");
    Ok(())
}

async fn a_login_enters_the_list_and_a_departure_leaves_it(s: Stage) -> Verdict {
    let (ada, bob, live) = (s.user("ada"), s.user("bob"), s.open().await?);
    let signed_in = s.commit(&live, &s.login(&live.created.record, &s.secret_for(&live), &ada)).await?;
    claim_eq!(s.keys_of(&ada).await?, [*live.key()], "the sessions of a user who logged in");
    let other = s.commit(&live, &s.login(&signed_in.record, &s.secret_for(&live), &bob)).await?;
    claim_eq!(s.keys_of(&ada).await?, [], "the sessions of a user whom another one followed");
    claim_eq!(s.keys_of(&bob).await?, [*live.key()], "the sessions of the one who followed");
    let mut departure = s.changes(&other.record);
    departure.open_era(s.new_era(&s.secret_for(&live)));
    s.commit(&live, &departure).await?;
    claim_eq!(s.keys_of(&bob).await?, [], "the sessions of a user who left");
    claim!(s.is_live(&live).await?, "the session that went on without a user is over");
    Ok(())
}

async fn pages_hold_every_session_once_and_in_one_order(s: Stage) -> Verdict {
    let user = s.user("ada");
    let sessions = open_many(&s, &user, 23).await?;
    for limit in [1, 5, 23, 24] {
        let pages = s.pages(&user, limit).await?;
        claim!(pages.iter().all(|page| page.len() <= limit), "a page holds more than {limit} sessions");
        claim!(!pages[0].is_empty(), "the first page of {limit} sessions at most is empty");
        let keys: Vec<_> = pages.into_iter().flatten().map(|session| session.key).collect();
        claim_eq!(keys.len(), sessions.len(), "how many entries the pages of {limit} have");
        claim_eq!(sorted(keys.clone()), sorted(sessions.iter().map(|live| *live.key())), "the sessions");
        claim_eq!(keys, s.keys_of(&user).await?, "the order");
    }
    Ok(())
}

async fn sessions_that_come_and_go_hide_no_other(s: Stage) -> Verdict {
    let user = s.user("ada");
    let sessions = open_many(&s, &user, 20).await?;
    let (mut seen, mut gone, mut after) = (BTreeSet::new(), BTreeSet::new(), None);
    for _ in 0..100 {
        let page = page(&s, &user, after, 3).await?;
        seen.extend(page.sessions.iter().map(|session| session.key));
        // Those on which the next page would lean are ended, and others come.
        for session in &page.sessions {
            s.store().end(&session.key, EndReason::EndedByUser, &Default::default()).await?;
            gone.insert(session.key);
        }
        s.open_for(&user).await?;
        after = page.next;
        if after.is_none() || gone.len() > 40 {
            break;
        }
    }
    let missed = sessions.iter().filter(|live| !seen.contains(live.key())).count();
    claim_eq!(missed, 0, "how many sessions that were there all the time appeared on no page");
    Ok(())
}

async fn sessions_that_expired_hide_no_other(s: Stage) -> Verdict {
    let user = s.user("ada");
    let lasting = open_many(&s, &user, 4).await?;
    for _ in 0..24 {
        let token = s.token();
        let short = s.new_record(&token).user(user.as_str(), s.now()).idle_timeout(Duration::from_secs(60));
        s.open_as(token, short).await?;
    }
    s.pass(Duration::from_secs(60)).await?;
    let first = page(&s, &user, None, 2).await?;
    claim!(!first.sessions.is_empty(), "the first page is empty, for the sessions on it expired");
    let pages = s.pages(&user, 2).await?;
    let keys = sorted(pages.into_iter().flatten().map(|session| session.key));
    claim_eq!(keys, sorted(lasting.iter().map(|live| *live.key())), "the user's sessions");
    Ok(())
}

async fn end_user_ends_every_session_of_the_user_and_no_other(s: Stage) -> Verdict {
    let (ada, bob) = (s.user("ada"), s.user("bob"));
    let (hers, his, nobodys) = (open_many(&s, &ada, 3).await?, s.open_for(&bob).await?, s.open().await?);
    let writes: Vec<_> = hers.iter().map(|live| s.setting(&live.created.record, "a", b"1")).collect();
    claim_eq!(end_user(&s, &ada).await?, 3, "how many sessions were live");
    for (live, write) in hers.iter().zip(&writes) {
        claim!(!s.is_live(live).await?, "a session of the user is live");
        refused(s.commit(live, write).await, &[ErrorKind::Ended, ErrorKind::Missing], "a late write")?;
        let again = s.open_as(live.token, s.new_record(&live.token)).await;
        refused(again, &[ErrorKind::Ended], "a late creation")?;
    }
    claim_eq!(s.keys_of(&ada).await?, [], "the user's sessions");
    claim!(s.is_live(&his).await? && s.is_live(&nobodys).await?, "another's session is over");
    claim_eq!(s.keys_of(&bob).await?, [*his.key()], "another user's sessions");
    Ok(())
}

async fn end_user_spares_the_excepted_session(s: Stage) -> Verdict {
    let user = s.user("ada");
    let began = CommitOptions::default().began(s.now());
    let (own, others) = (s.open_for(&user).await?, open_many(&s, &user, 2).await?);
    s.pass(TICK).await?;
    let options = EndUserOptions::default().except(Some(*own.key())).reason(EndReason::EndedByUser);
    claim_eq!(s.store().end_user(&user, &options).await?, 2, "how many other sessions were live");
    for live in &others {
        claim!(!s.is_live(live).await?, "another session of the user is live");
    }
    claim_eq!(s.keys_of(&user).await?, [*own.key()], "the user's sessions");
    // It goes on, also into a new era of the same user: a request may end the others and then renew its own.
    let written = s.set(&own, "a", b"1").await?;
    let again = s.login(&written.record, &s.secret_for(&own), &user);
    s.commit_with(&own, &again, &began).await?;
    claim_eq!(s.keys_of(&user).await?, [*own.key()], "the user's sessions after a new era");
    Ok(())
}

async fn end_user_counts_no_session_that_was_over(s: Stage) -> Verdict {
    let user = s.user("ada");
    let token = s.token();
    s.open_as(token, s.new_record(&token).user(user.as_str(), s.now()).idle_timeout(TICK)).await?;
    let sessions = open_many(&s, &user, 2).await?;
    s.end(&sessions[0]).await?;
    s.pass(TICK).await?;
    claim_eq!(end_user(&s, &user).await?, 1, "how many sessions were live");
    claim_eq!(end_user(&s, &user).await?, 0, "how many were live when asked again");
    Ok(())
}

async fn end_user_reaches_more_sessions_than_a_page_holds(s: Stage) -> Verdict {
    let user = s.user("ada");
    let sessions = open_many(&s, &user, 150).await?;
    claim_eq!(end_user(&s, &user).await?, 150, "how many sessions were live");
    for live in &sessions {
        claim!(!s.is_live(live).await?, "a session of the user is live");
    }
    Ok(())
}

async fn end_user_of_a_user_without_sessions_refuses_earlier_logins(s: Stage) -> Verdict {
    let (user, live) = (s.user("ada"), s.open().await?);
    let began = CommitOptions::default().began(s.now());
    s.pass(TICK).await?;
    claim_eq!(end_user(&s, &user).await?, 0, "how many sessions were live");
    let login = s.login(&live.created.record, &s.secret_for(&live), &user);
    for store in s.handles() {
        let answer = store.commit(live.key(), live.created.version, &login, &began).await;
        refused(answer, &[ErrorKind::Superseded], "a login that began before")?;
    }
    let later = CommitOptions::default().began(s.now());
    s.commit_with(&live, &login, &later).await?;
    Ok(())
}

async fn no_login_in_flight_escapes_end_user(s: Stage) -> Verdict {
    for round in 0..4 {
        let user = s.user(&format!("ada {round}"));
        let mut sessions = Vec::new();
        for _ in 0..8 {
            sessions.push(s.open().await?);
        }
        let began = CommitOptions::default().began(s.now());
        s.pass(TICK).await?;
        let (name, logins) = (user.clone(), sessions.clone());
        let answers = s
            .together(9, move |s, n| {
                let (user, live) = (name.clone(), logins.get(n).cloned());
                async move {
                    let Some(live) = live else {
                        for _ in 0..round {
                            give_way().await;
                        }
                        return s.handle(n).end_user(&user, &EndUserOptions::default()).await.map(|_| ());
                    };
                    for _ in 0..n % 4 {
                        give_way().await;
                    }
                    let login = s.login(&live.created.record, &s.secret_for(&live), &user);
                    let answer = s.handle(n).commit(live.key(), live.created.version, &login, &began).await;
                    answer.map(|_| ())
                }
            })
            .await;
        for (n, answer) in answers.into_iter().enumerate() {
            let Err(error) = answer else { continue };
            // The login may have been made, found by the end of all, and ended before its store knew that it was made.
            let was_ended = error.kind() == ErrorKind::Ambiguous
                && matches!(sessions.get(n), Some(live) if !s.is_live(live).await?);
            let fine = error.kind() == ErrorKind::Superseded || error.is_over() || was_ended;
            claim!(fine, "a login beside the end of all was refused otherwise: {error:?}");
        }
        claim_eq!(s.keys_of(&user).await?, [], "the sessions of the user whose sessions were all ended");
        for live in &sessions {
            let held = s.load(live).await?;
            let of = held.and_then(|held| held.record.era().and_then(|era| era.user().cloned()));
            claim!(of.is_none(), "a login that was under way escaped");
        }
    }
    Ok(())
}
