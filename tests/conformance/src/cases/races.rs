//! Requests at the same time.

use std::collections::BTreeSet;

use abide_core::{CommitOptions, CreateOptions, ErrorKind, Record};

use crate::case::{Failure, Verdict, cases, claim, claim_eq, refused};
use crate::stage::{Stage, number, worth};
use crate::together::give_way;

/// How many requests there are at the same time.
const REQUESTS: usize = 64;

cases! {
    sets_of_different_values_are_all_kept:
        "Operations on one session MUST appear to happen one after the other, each between its call and its answer, \
         for all callers of all clones and processes that share the store.",
        "race: set a ‖ set b: both kept";
    of_sets_of_one_value_everybody_sees_the_same_one:
        "race: set a ‖ set a: one of them, the same one everywhere";
    concurrent_updates_are_all_applied:
        "Operations on one session MUST appear to happen one after the other",
        "race: update ‖ update: both applied, one after the other";
    a_set_beside_an_update_comes_before_or_after_it:
        "race: set k ‖ update(k): as if one came before the other";
    a_set_that_no_update_saw_is_not_dropped_in_silence:
        "race: set k ‖ update(k): as if one came before the other";
    of_logins_at_the_same_time_one_opens_the_era:
        "race: login ‖ login: one opens the era; the other is Superseded";
    of_creations_of_one_key_one_succeeds:
        "race: create ‖ create of one key: one; the other is Exists";
}

async fn sets_of_different_values_are_all_kept(s: Stage) -> Verdict {
    let live = s.open().await?;
    let session = live.clone();
    let answers = s
        .together(REQUESTS, move |s, n| {
            let live = session.clone();
            async move {
                let held = s.held_by(n, &live).await?;
                give_way().await;
                let changes = s.setting(&held.record, &format!("key {n}"), b"1");
                let options = CommitOptions::default();
                Ok::<_, Failure>(s.handle(n).commit(live.key(), held.version, &changes, &options).await?)
            }
        })
        .await;
    for (n, answer) in answers.into_iter().enumerate() {
        claim!(answer?.record.value(&format!("key {n}")).is_some(), "an answer lacks its own value");
    }
    let held = s.held(&live).await?;
    let kept = held.record.era().map_or(0, |era| era.keys().count());
    claim_eq!(kept, REQUESTS, "how many values are there");
    Ok(())
}

async fn of_sets_of_one_value_everybody_sees_the_same_one(s: Stage) -> Verdict {
    let live = s.open().await?;
    let mut writes: Vec<_> = (0..16_u8).map(|n| s.setting(&live.created.record, "a", &[n])).collect();
    // The latest comes first, so that the order of arrival is no answer.
    writes.reverse();
    let (session, sets) = (live.clone(), writes.clone());
    let answers = s
        .together(writes.len(), move |s, n| {
            let (live, changes) = (session.clone(), sets[n].clone());
            async move {
                // A look before the write, so that whoever remembers loads has something to remember.
                s.held_by(n, &live).await?;
                let options = CommitOptions::default();
                Ok::<_, Failure>(
                    s.handle(n).commit(live.key(), live.created.version, &changes, &options).await?,
                )
            }
        })
        .await;
    for answer in answers {
        answer?;
    }
    for n in 0..s.handles().count() {
        let held = s.held_by(n, &live).await?;
        claim_eq!(held.record.value("a"), Some(&[15][..]), "the value, which is that of the latest stamp");
    }
    Ok(())
}

async fn concurrent_updates_are_all_applied(s: Stage) -> Verdict {
    let live = s.open().await?;
    let session = live.clone();
    let answers = s
        .together(REQUESTS, move |s, n| {
            let live = session.clone();
            async move {
                s.persist(n, &live, |s, record| {
                    let next = number(record, "count") + 1;
                    s.updating(record, "count", next.to_string().as_bytes())
                })
                .await
            }
        })
        .await;
    let mut counts = BTreeSet::new();
    for answer in answers {
        // Each answer is the state right after its own update or later.
        counts.insert(number(&answer?.record, "count"));
    }
    claim_eq!(number(&s.held(&live).await?.record, "count"), REQUESTS as u64, "the count");
    claim!(counts.contains(&(REQUESTS as u64)), "nobody was told of the last update");
    Ok(())
}

async fn a_set_beside_an_update_comes_before_or_after_it(s: Stage) -> Verdict {
    for round in 0..16 {
        let live = s.open().await?;
        s.set(&live, "count", b"10").await?;
        let session = live.clone();
        let answers = s
            .together(2, move |s, n| {
                let live = session.clone();
                async move {
                    for _ in 0..(round >> n) % 4 {
                        give_way().await;
                    }
                    s.persist(n, &live, |s, record| match n {
                        0 => s.setting(record, "count", b"100"),
                        _ => {
                            let next = number(record, "count") + 1;
                            s.updating(record, "count", next.to_string().as_bytes())
                        }
                    })
                    .await
                }
            })
            .await;
        for answer in answers {
            answer?;
        }
        let count = number(&s.held(&live).await?.record, "count");
        claim!(count == 100 || count == 101, "10, set to 100 beside + 1, came to {count}");
    }
    Ok(())
}

async fn a_set_that_no_update_saw_is_not_dropped_in_silence(s: Stage) -> Verdict {
    let live = s.open().await?;
    let held = s.set(&live, "count", b"10").await?;
    let set = s.setting(&held.record, "count", b"100");
    s.commit(&live, &s.updating(&held.record, "count", b"11")).await?;
    refused(
        s.commit(&live, &set).await,
        &[ErrorKind::Conflict],
        "a set older than an update that did not see it",
    )?;
    let count = number(&s.held(&live).await?.record, "count");
    claim_eq!(count, 11, "the count after the refusal");
    Ok(())
}

async fn of_logins_at_the_same_time_one_opens_the_era(s: Stage) -> Verdict {
    let (live, user) = (s.open().await?, s.user("ada"));
    let tokens: Vec<_> = (0..8).map(|_| s.secret_for(&live)).collect();
    let logins: Vec<_> = tokens.iter().map(|token| s.login(&live.created.record, token, &user)).collect();
    let session = live.clone();
    let answers = s
        .together(tokens.len(), move |s, n| {
            let (live, login) = (session.clone(), logins[n].clone());
            async move {
                let options = CommitOptions::default();
                give_way().await;
                s.handle(n).commit(live.key(), live.created.version, &login, &options).await
            }
        })
        .await;
    let held = s.held(&live).await?;
    let mut opened = 0;
    for (answer, token) in answers.into_iter().zip(&tokens) {
        let good = worth(&held.record, token, s.now()).is_good();
        claim_eq!(
            answer.is_ok(),
            good,
            "whether a login that succeeded has a good secret, or the other way round"
        );
        opened += usize::from(answer.is_ok());
        if answer.is_err() {
            refused(answer, &[ErrorKind::Superseded], "another login")?;
        }
    }
    claim_eq!(opened, 1, "how many logins opened the era");
    claim_eq!(s.keys_of(&user).await?, [*live.key()], "the user's sessions");
    Ok(())
}

async fn of_creations_of_one_key_one_succeeds(s: Stage) -> Verdict {
    let token = s.token();
    let records: Vec<_> =
        (0..16_u8).map(|n| Record::create(s.new_record(&token).value("who", [n].as_slice()))).collect();
    let answers = s
        .together(records.len(), move |s, n| {
            let record = records[n].clone();
            async move {
                give_way().await;
                s.handle(n).create(token.key(), record, &CreateOptions::default()).await
            }
        })
        .await;
    let (created, others): (Vec<_>, Vec<_>) = answers.into_iter().partition(Result::is_ok);
    claim_eq!(created.len(), 1, "how many creations succeeded");
    for other in others {
        refused(other, &[ErrorKind::Exists], "another creation")?;
    }
    let stored = s.store().load(token.key(), &s.look()).await?.map(|loaded| loaded.record);
    let told = created.into_iter().flatten().next().map(|loaded| loaded.record);
    claim_eq!(stored, told, "the session that is stored, against the one that was answered");
    Ok(())
}
