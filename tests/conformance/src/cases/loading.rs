//! Loads and peeks.

use abide_core::{CreateOptions, EndOptions, EndReason, LoadOptions, Loaded, Peek, Record, SessionKey};

use crate::case::{Failure, Verdict, cases, claim, claim_eq};
use crate::stage::{IDLE, Live, Stage, TICK};

cases! {
    a_session_that_is_not_live_loads_as_none:
        "The session, or None where it is missing, over, or expired.";
    loading_does_not_slide:
        "Loading changes nothing: it does not slide.";
    a_load_is_not_older_than_the_last_answer:
        "The answer MUST NOT be older than the last change that any caller saw answered before this call, unless the \
         store documents a bound and LoadOptions::fresh is not set.",
        "for all callers of all clones and processes that share the store.";
    equal_versions_are_equal_records:
        "Which state of a record: equal versions are equal records.";
    a_peek_is_what_a_load_answers:
        "What load would answer, where that is known without waiting; else Peek::Ask.";
    a_peek_answers_while_an_operation_is_under_way:
        "It MUST NOT block and SHOULD NOT allocate.";
}

async fn a_session_that_is_not_live_loads_as_none(s: Stage) -> Verdict {
    claim!(s.store().load(s.token().key(), &s.look()).await?.is_none(), "an unknown session loads");
    let (ended, expired) = (s.open().await?, s.open().await?);
    s.end(&ended).await?;
    claim!(!s.is_live(&ended).await?, "an ended session loads");
    s.pass(IDLE).await?;
    claim!(!s.is_live(&expired).await?, "an expired session loads");
    Ok(())
}

async fn loading_does_not_slide(s: Stage) -> Verdict {
    let live = s.open().await?;
    for _ in 0..4 {
        s.pass(IDLE / 4 - TICK).await?;
        let held = s.held(&live).await?;
        claim_eq!(held.record, live.created.record, "the record after a load");
        claim_eq!(held.version, live.created.version, "the version after a load");
        s.store().peek(live.key());
    }
    s.pass(4 * TICK).await?;
    claim!(!s.is_live(&live).await?, "the session outlived the deadline that it had before it was loaded");
    Ok(())
}

/// What every handle loads must be what was just answered.
async fn seen_by_all(s: &Stage, key: &SessionKey, answered: Option<&Loaded>, after: &str) -> Verdict {
    for store in s.handles() {
        for fresh in [s.subject().lags, true] {
            let loaded = store.load(key, &LoadOptions::default().fresh(fresh)).await?;
            let found = loaded.as_ref().map(|loaded| &loaded.record);
            claim_eq!(found, answered.map(|loaded| &loaded.record), "a load after {after}");
        }
    }
    Ok(())
}

async fn a_load_is_not_older_than_the_last_answer(s: Stage) -> Verdict {
    let handles = s.handles().count().max(2);
    for n in 0..handles {
        let token = s.token();
        let record = Record::create(s.new_record(&token));
        seen_by_all(&s, token.key(), None, "nothing").await?;
        let created = s.handle(n).create(token.key(), record, &CreateOptions::default()).await?;
        seen_by_all(&s, token.key(), Some(&created), "a creation").await?;
        let changes = s.setting(&created.record, "a", b"1");
        let changed =
            s.handle(n + 1).commit(token.key(), created.version, &changes, &Default::default()).await?;
        seen_by_all(&s, token.key(), Some(&changed), "a commit").await?;
        s.handle(n).end(token.key(), EndReason::LoggedOut, &EndOptions::default()).await?;
        seen_by_all(&s, token.key(), None, "an end").await?;
    }
    Ok(())
}

async fn equal_versions_are_equal_records(s: Stage) -> Verdict {
    let live = s.open().await?;
    let mut states = vec![live.created.clone()];
    for n in 0..8_u8 {
        let value = [n % 2];
        states.push(s.set(&live, "a", &value).await?);
        states.push(s.held_by(usize::from(n), &live).await?);
    }
    for one in &states {
        for two in &states {
            let equal = one.version != two.version || one.record == two.record;
            claim!(equal, "{:?} is the version of two records", one.version);
        }
    }
    Ok(())
}

fn agrees(peek: &Peek, loaded: Option<&Loaded>) -> bool {
    match (peek, loaded) {
        (Peek::Found(found), Some(loaded)) => {
            found.record == loaded.record && found.version == loaded.version
        }
        (Peek::Found(_), None) => false,
        (Peek::Absent, loaded) => loaded.is_none(),
        _ => true,
    }
}

async fn peeks_agree(s: &Stage, key: &SessionKey, when: &str) -> Verdict {
    for store in s.handles() {
        let before = store.peek(key);
        let loaded = store.load(key, &LoadOptions::default()).await?;
        let after = store.peek(key);
        for peek in [before, after] {
            let lags = s.subject().lags && matches!(peek, Peek::Found(_));
            claim!(lags || agrees(&peek, loaded.as_ref()), "{when}: a peek is {peek:?}, a load {loaded:?}");
            let may = store.capabilities().peeks || matches!(peek, Peek::Ask);
            claim!(may, "{when}: a store that says that it never peeks answered {peek:?}");
        }
    }
    Ok(())
}

async fn a_peek_is_what_a_load_answers(s: Stage) -> Verdict {
    peeks_agree(&s, s.token().key(), "for an unknown session").await?;
    let (live, other): (Live, Live) = (s.open().await?, s.open().await?);
    peeks_agree(&s, live.key(), "for a new session").await?;
    s.set(&live, "a", b"1").await?;
    peeks_agree(&s, live.key(), "for a changed session").await?;
    s.end(&live).await?;
    peeks_agree(&s, live.key(), "for an ended session").await?;
    s.pass(IDLE).await?;
    peeks_agree(&s, other.key(), "for an expired session").await
}

async fn a_peek_answers_while_an_operation_is_under_way(s: Stage) -> Verdict {
    let live = s.open().await?;
    let changes = s.setting(&live.created.record, "a", b"1");
    for polls in 0..4 {
        let options = Default::default();
        let mut commit = s.store().commit(live.key(), live.created.version, &changes, &options);
        let done = crate::together::polled_at_most(polls, &mut commit).await;
        // A peek that waited for the commit would never come back: nobody polls that any more.
        let peek = s.store().peek(live.key());
        claim!(!matches!(peek, Peek::Absent), "a live session peeks as absent");
        if done.is_none() {
            commit.await.map_err(Failure::from)?;
        }
    }
    Ok(())
}
