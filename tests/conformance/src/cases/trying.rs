//! Commits that do not wait.

use abide_core::{CommitOptions, CommitRules, Error, Loaded, Record, Version};

use super::committing::{random_changes, stored_is};
use crate::case::{Failure, Verdict, cases, claim_eq, refused};
use crate::stage::{Live, Stage};

cases! {
    a_commit_that_need_not_wait_is_a_commit:
        "What commit would answer, where that needs no waiting; else None, and nothing was done.";
    a_commit_that_need_not_wait_revives_nothing:
        "What commit would answer, where that needs no waiting";
    a_commit_that_need_not_wait_answers_while_an_operation_is_under_way:
        "It MUST NOT block: a store that keeps its sessions elsewhere answers None.";
}

type Tried = Option<Result<Loaded, Error>>;

fn tried(s: &Stage, live: &Live, changes: &abide_core::Changes) -> Tried {
    s.store().try_commit(live.key(), Version::default(), changes, &CommitOptions::default())
}

async fn a_commit_that_need_not_wait_is_a_commit(s: Stage) -> Verdict {
    let live = s.open().await?;
    let mut held = Record::clone(&live.created.record);
    let mut stale = held.clone();
    for n in 0..100 {
        let changes = random_changes(&s, &held, &stale);
        let what = format!("commit {n} without waiting ({changes:?})");
        match (held.commit(&changes, &CommitRules::at(s.now())), tried(&s, &live, &changes)) {
            (_, None) => {
                claim_eq!(*s.held(&live).await?.record, held, "what is stored after no answer to {what}");
            }
            (Ok(next), Some(Ok(answer))) => {
                let next = next.unwrap_or_else(|| held.clone());
                stale = std::mem::replace(&mut held, next);
                stored_is(&s, &live, &answer, &held, &what).await?;
            }
            (Err(expected), Some(answer)) => refused(answer, &[expected.kind()], &what)?,
            (Ok(_), Some(Err(error))) => return Err(Failure::broken(format!("{what} was refused: {error}"))),
        }
    }
    Ok(())
}

async fn a_commit_that_need_not_wait_revives_nothing(s: Stage) -> Verdict {
    use abide_core::ErrorKind::{Ended, Missing};
    let live = s.open().await?;
    let unknown = Live { token: s.token(), created: live.created.clone() };
    let changes = s.setting(&live.created.record, "a", b"1");
    if let Some(answer) = tried(&s, &unknown, &changes) {
        refused(answer, &[Missing], "a commit to an unknown session")?;
    }
    s.end(&live).await?;
    if let Some(answer) = tried(&s, &live, &changes) {
        refused(answer, &[Ended, Missing], "a commit to an ended session")?;
    }
    for of in [&live, &unknown] {
        claim_eq!(s.is_live(of).await?, false, "whether the session lives");
    }
    Ok(())
}

async fn a_commit_that_need_not_wait_answers_while_an_operation_is_under_way(s: Stage) -> Verdict {
    let live = s.open().await?;
    let one = s.setting(&live.created.record, "a", b"1");
    for polls in 0..4 {
        let options = CommitOptions::default();
        let mut commit = s.store().commit(live.key(), live.created.version, &one, &options);
        let done = crate::together::polled_at_most(polls, &mut commit).await;
        // One that waited for the other commit would never come back: nobody polls that any more.
        let two = s.setting(&live.created.record, "b", &[polls as u8]);
        let answer = tried(&s, &live, &two);
        if done.is_none() {
            commit.await.map_err(Failure::from)?;
        }
        if let Some(answer) = answer {
            answer.map_err(Failure::from)?;
            let held = s.held(&live).await?;
            claim_eq!(held.record.value("b"), Some(&[polls as u8][..]), "the value that was committed");
        }
    }
    Ok(())
}
