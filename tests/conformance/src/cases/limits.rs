//! A limit on the sessions of one user.

use std::num::NonZeroUsize;
use std::time::Duration;

use abide_core::{
    CommitOptions, CreateOptions, EndReason, EndUserOptions, ErrorKind, Loaded, Record, SessionKey, Timestamp,
};

use crate::case::{Failure, Verdict, cases, claim, claim_eq, refused};
use crate::stage::{Live, Stage, TICK};
use crate::together::give_way;

cases! {
    a_login_beyond_the_limit_ends_those_with_the_oldest_login_and_names_them:
        "A user who then has more live sessions than CreateOptions::user_limit: those with the oldest login end, as \
         commit says.",
        "A login (a new era with a user who proved who they are, just now) after which that user has more live \
         sessions than CommitOptions::user_limit: those with the oldest login end, and the answer names them.";
    the_session_that_logs_in_never_ends_by_its_own_login:
        "The session that logs in is never one of them.";
    sessions_that_are_over_do_not_count_towards_the_limit:
        "that user has more live sessions than CommitOptions::user_limit";
    a_limit_counts_logins_alone_and_of_each_user_their_own:
        "after which that user has more live sessions than CommitOptions::user_limit";
    logins_at_the_same_time_leave_no_more_than_the_limit:
        "However many log in at once, no more than the limit are live once all are answered.";
}

fn limit(sessions: usize) -> Option<NonZeroUsize> {
    NonZeroUsize::new(sessions)
}

/// A new session of a user who proved who they are at `at`.
async fn open_at(s: &Stage, user: &str, at: Timestamp, sessions: usize) -> Result<Live, Failure> {
    let token = s.token();
    let record = Record::create(s.new_record(&token).user(user, at));
    let options = CreateOptions::default().user_limit(limit(sessions));
    let created = s.store().create(token.key(), record, &options).await?;
    Ok(Live { token, created })
}

/// A login into a session that is there.
async fn log_in(s: &Stage, live: &Live, user: &str, sessions: usize) -> Result<Loaded, Failure> {
    let login = s.login(&s.held(live).await?.record, &s.secret_for(live), user);
    let options = CommitOptions::default().user_limit(limit(sessions));
    Ok(s.commit_with(live, &login, &options).await?)
}

async fn live_are(s: &Stage, user: &str, sessions: &[&Live], what: &str) -> Verdict {
    let mut keys: Vec<SessionKey> = sessions.iter().map(|live| *live.key()).collect();
    let mut held = s.keys_of(user).await?;
    keys.sort_unstable();
    held.sort_unstable();
    claim_eq!(held, keys, "the user's sessions {what}");
    for live in sessions {
        claim!(s.is_live(live).await?, "a session is over {what}");
    }
    Ok(())
}

async fn a_login_beyond_the_limit_ends_those_with_the_oldest_login_and_names_them(s: Stage) -> Verdict {
    let user = s.user("ada");
    // Created first, signed in last: it is the login that counts.
    let late = s.open().await?;
    let first = open_at(&s, &user, s.now(), 2).await?;
    s.pass(TICK).await?;
    let second = open_at(&s, &user, s.now(), 2).await?;
    live_are(&s, &user, &[&first, &second], "at the limit").await?;
    s.pass(TICK).await?;
    let answer = log_in(&s, &late, &user, 2).await?;
    claim_eq!(answer.ended(), [*first.key()], "the sessions that a login ended");
    claim!(!s.is_live(&first).await?, "the session with the oldest login is live");
    live_are(&s, &user, &[&second, &late], "after a login").await?;
    let write = s.setting(&first.created.record, "a", b"1");
    refused(s.commit(&first, &write).await, &[ErrorKind::Ended, ErrorKind::Missing], "a write to it")?;
    s.pass(TICK).await?;
    let third = open_at(&s, &user, s.now(), 2).await?;
    claim_eq!(third.created.ended(), [*second.key()], "the sessions that a creation ended");
    live_are(&s, &user, &[&late, &third], "after a creation").await?;
    s.pass(TICK).await?;
    // One that signs in again is the latest.
    log_in(&s, &late, &user, 2).await?;
    s.pass(TICK).await?;
    let only = open_at(&s, &user, s.now(), 1).await?;
    let mut ended = only.created.ended().to_vec();
    ended.sort_unstable();
    let mut expected = [*late.key(), *third.key()];
    expected.sort_unstable();
    claim_eq!(ended, expected, "the sessions that a login ended once the limit was lower");
    live_are(&s, &user, &[&only], "at a lower limit").await
}

async fn the_session_that_logs_in_never_ends_by_its_own_login(s: Stage) -> Verdict {
    let user = s.user("ada");
    let other = open_at(&s, &user, s.now(), 1).await?;
    // By the clock of a server that is behind.
    let own = open_at(&s, &user, s.now().before(Duration::from_secs(5)), 1).await?;
    claim_eq!(own.created.ended(), [*other.key()], "the sessions that a login by a late clock ended");
    live_are(&s, &user, &[&own], "after a login by a late clock").await?;
    // Again in the same session.
    let again = log_in(&s, &own, &user, 1).await?;
    claim_eq!(again.ended(), [], "the sessions that a second login of the only one ended");
    live_are(&s, &user, &[&own], "after a second login").await
}

async fn sessions_that_are_over_do_not_count_towards_the_limit(s: Stage) -> Verdict {
    let user = s.user("ada");
    let lasting = open_at(&s, &user, s.now(), 2).await?;
    let token = s.token();
    let short = s.new_record(&token).user(user.as_str(), s.now() + TICK).idle_timeout(TICK);
    s.open_as(token, short).await?;
    s.pass(TICK).await?;
    let second = open_at(&s, &user, s.now(), 2).await?;
    claim_eq!(second.created.ended(), [], "the sessions that a login ended while another had expired");
    live_are(&s, &user, &[&lasting, &second], "after one expired").await?;
    s.end(&second).await?;
    let third = open_at(&s, &user, s.now(), 2).await?;
    claim_eq!(third.created.ended(), [], "the sessions that a login ended while another was ended");
    live_are(&s, &user, &[&lasting, &third], "after one was ended").await?;
    s.pass(TICK).await?;
    s.store().end_user(&user, &EndUserOptions::default().reason(EndReason::EndedByUser)).await?;
    let fourth = open_at(&s, &user, s.now(), 1).await?;
    claim_eq!(fourth.created.ended(), [], "the sessions that a login ended after all were ended");
    Ok(())
}

async fn a_limit_counts_logins_alone_and_of_each_user_their_own(s: Stage) -> Verdict {
    let (ada, bob) = (s.user("ada"), s.user("bob"));
    let (hers, his, nobodys) =
        (open_at(&s, &ada, s.now(), 1).await?, open_at(&s, &bob, s.now(), 1).await?, s.open().await?);
    live_are(&s, &ada, &[&hers], "beside another user's").await?;
    live_are(&s, &bob, &[&his], "beside another user's").await?;
    // A session of nobody, a write and a renewal are no logins.
    let one = CommitOptions::default().user_limit(limit(1));
    let write = s.setting(&nobodys.created.record, "a", b"1");
    s.commit_with(&nobodys, &write, &one).await?;
    s.pass(TICK).await?;
    let more = s.open_for(&ada).await?;
    let held = s.held(&hers).await?;
    let era = held.record.era().ok_or_else(|| Failure::broken("a live session has no era"))?;
    let renewed = s.new_era(&s.secret_for(&hers)).identity(era.user().cloned(), era.authenticated_at());
    let mut renewal = s.changes(&held.record);
    renewal.open_era(renewed);
    let answer = s.commit_with(&hers, &renewal, &one).await?;
    claim_eq!(answer.ended(), [], "the sessions that a renewal ended");
    live_are(&s, &ada, &[&hers, &more], "after a renewal").await?;
    claim!(s.is_live(&his).await? && s.is_live(&nobodys).await?, "another's session is over");
    Ok(())
}

async fn logins_at_the_same_time_leave_no_more_than_the_limit(s: Stage) -> Verdict {
    for round in 0..8 {
        let user = s.user(&format!("ada {round}"));
        let mut sessions = Vec::new();
        for _ in 0..4 {
            sessions.push(s.open().await?);
        }
        let (name, logins) = (user.clone(), sessions.clone());
        let answers = s
            .together(8, move |s, n| {
                let (user, live) = (name.clone(), logins.get(n).cloned());
                async move {
                    for _ in 0..n % 3 {
                        give_way().await;
                    }
                    let Some(live) = live else {
                        return open_on(&s, n, &user).await;
                    };
                    let login = s.login(&live.created.record, &s.secret_for(&live), &user);
                    let options = CommitOptions::default().user_limit(limit(2));
                    s.handle(n).commit(live.key(), live.created.version, &login, &options).await
                }
            })
            .await;
        let mut ended = Vec::new();
        for answer in answers {
            ended.extend_from_slice(answer?.ended());
        }
        claim_eq!(s.keys_of(&user).await?.len(), 2, "how many of eight sessions are live at a limit of two");
        ended.sort_unstable();
        ended.dedup();
        claim_eq!(ended.len(), 6, "how many sessions the answers name as ended");
        for key in ended {
            claim!(
                s.store().load(&key, &s.look()).await?.is_none(),
                "a session that was named as ended is live"
            );
        }
    }
    Ok(())
}

async fn open_on(s: &Stage, n: usize, user: &str) -> Result<Loaded, abide_core::Error> {
    let token = s.token();
    let record = Record::create(s.new_record(&token).user(user, s.now()));
    s.handle(n).create(token.key(), record, &CreateOptions::default().user_limit(limit(2))).await
}
