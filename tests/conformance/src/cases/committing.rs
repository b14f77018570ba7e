//! Commits.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, CommitOptions, CommitRules, CreateOptions, EndUserOptions, ErrorKind, Loaded, NewEra, Record,
    Stamps, Version, codec,
};

use crate::case::{Failure, Verdict, cases, claim, claim_eq, refused};
use crate::stage::{IDLE, Live, Stage, TICK};

cases! {
    a_commit_answers_what_the_merge_makes:
        "Merges changes into a session, as Record::commit does, and answers what is stored then.";
    a_commit_keeps_the_fields_of_newer_versions:
        "Merges changes into a session, as Record::commit does";
    a_later_stamp_wins_whichever_arrives_first:
        "Merges changes into a session, as Record::commit does";
    a_causally_later_write_wins_against_a_clock_that_is_ahead:
        "Merges changes into a session, as Record::commit does";
    a_stamp_from_the_future_is_refused:
        "Merges changes into a session, as Record::commit does";
    a_commit_for_an_unknown_key_makes_no_session:
        "Missing: Missing; a commit never makes a session.",
        "race: changes for an unknown key: refused";
    a_commit_to_an_ended_session_is_refused:
        "Over or expired: Ended, or Missing once the store has forgotten it.";
    a_commit_to_an_expired_session_does_not_revive_it:
        "Over or expired: Ended, or Missing once the store has forgotten it.";
    a_write_begun_before_a_login_is_superseded:
        "In another era: Superseded.",
        "race: write begun before a login ‖ the login: Superseded";
    an_update_whose_value_moved_is_a_conflict:
        "A condition that does not hold: Conflict, with the current record where it is at hand.";
    a_login_of_a_user_ended_after_it_began_is_refused:
        "A new era with another user than before, whose sessions were all ended after CommitOptions::began: Superseded.";
    a_commit_that_grows_past_the_limit_is_refused:
        "Larger than CommitOptions::max_weight, without CommitOptions::value_overhead of each value: TooLarge.";
    bytes_that_a_wrapper_added_do_not_count_against_the_limit:
        "Larger than CommitOptions::max_weight, without CommitOptions::value_overhead of each value: TooLarge.";
    a_commit_that_a_full_store_has_no_room_for_is_refused_and_changes_nothing:
        "No room for what it grew by: Full.";
    a_version_that_moved_on_refuses_nothing:
        "version is that of the record from which the caller made the changes: a hint that saves a store a look at its \
         copy.",
        "A store MUST NOT refuse changes because the version moved on.";
}

/// The stored record must be `expected`, and so must the answer be.
pub(super) async fn stored_is(
    s: &Stage,
    live: &Live,
    answer: &Loaded,
    expected: &Record,
    what: &str,
) -> Verdict {
    claim_eq!(*answer.record, *expected, "the answer to {what}");
    let held = s.held(live).await?;
    claim_eq!(*held.record, *expected, "what is stored after {what}");
    claim_eq!(held.version, answer.version, "the version after {what}");
    Ok(())
}

/// Random changes to `held`, or to `stale`, an earlier state of it.
pub(super) fn random_changes(s: &Stage, held: &Record, stale: &Record) -> Changes {
    let [kind, key, value, whose] = s.bytes::<4>();
    let seen = if whose % 4 == 0 { stale } else { held };
    let key = format!("key {}", key % 4);
    let newest = seen.era().map_or(0, |era| era.secrets().newest());
    let mut changes = s.changes(seen);
    match kind % 12 {
        0..=3 => changes.set(key, vec![value; usize::from(value % 9)]),
        4 | 5 => changes.remove(key),
        6 | 7 => return s.updating(seen, &key, &[value]),
        8 => changes.seen_at(s.now() + Duration::from_secs(u64::from(value))),
        9 => changes.set_idle_timeout(Duration::from_secs(600 + u64::from(value))),
        10 => changes.renew(newest, s.token().verifier(), s.now()),
        _ if value % 3 == 0 => changes.open_era(random_era(s, value)),
        _ => changes.confirm(newest, s.now()),
    }
    changes
}

fn random_era(s: &Stage, value: u8) -> NewEra {
    let new = s.new_era(&s.token());
    if value % 2 == 0 { new.user(s.user("ada"), s.now()) } else { new }
}

async fn a_commit_answers_what_the_merge_makes(s: Stage) -> Verdict {
    let live = s.open().await?;
    let mut held = Record::clone(&live.created.record);
    let mut stale = held.clone();
    for n in 0..200 {
        let changes = random_changes(&s, &held, &stale);
        let what = format!("commit {n} ({changes:?})");
        match (held.commit(&changes, &CommitRules::at(s.now())), s.commit(&live, &changes).await) {
            (Ok(next), Ok(answer)) => {
                let next = next.unwrap_or_else(|| held.clone());
                stale = std::mem::replace(&mut held, next);
                stored_is(&s, &live, &answer, &held, &what).await?;
            }
            (Err(expected), answer) => refused(answer, &[expected.kind()], &what)?,
            (Ok(_), Err(error)) => return Err(Failure::broken(format!("{what} was refused: {error}"))),
        }
    }
    Ok(())
}

async fn a_commit_keeps_the_fields_of_newer_versions(s: Stage) -> Verdict {
    let token = s.token();
    // A field as the codec writes it, behind all those of today: tag, length, bytes.
    let bytes =
        [codec::encode(&Record::create(s.new_record(&token)))?, vec![100, 3, b'n', b'e', b'w']].concat();
    let record = codec::decode(&bytes)?;
    let created = s.store().create(token.key(), record.clone(), &CreateOptions::default()).await?;
    let live = Live { token, created };
    let changes = s.setting(&record, "a", b"1");
    let answer = s.commit(&live, &changes).await?;
    let expected = record.commit(&changes, &CommitRules::at(s.now()))?.unwrap_or(record);
    stored_is(&s, &live, &answer, &expected, "a commit to a record of a newer version").await
}

async fn a_later_stamp_wins_whichever_arrives_first(s: Stage) -> Verdict {
    for first_comes_late in [false, true] {
        let live = s.open().await?;
        let record = &live.created.record;
        let (one, two) = (s.setting(record, "a", b"one"), s.setting(record, "a", b"two"));
        let order = if first_comes_late { [&two, &one] } else { [&one, &two] };
        for changes in order {
            s.commit(&live, changes).await?;
        }
        let held = s.held(&live).await?;
        claim_eq!(held.record.value("a"), Some(&b"two"[..]), "the value (late: {first_comes_late})");
    }
    Ok(())
}

async fn a_causally_later_write_wins_against_a_clock_that_is_ahead(s: Stage) -> Verdict {
    let live = s.open().await?;
    let era = live.created.record.era().map(|era| era.id()).ok_or_else(|| Failure::broken("no era"))?;
    let ahead = Stamps::new(9).next(s.now() + Duration::from_secs(50));
    let mut first = Changes::new(ahead, era);
    first.set("a", b"ahead".as_slice());
    let seen = s.commit(&live, &first).await?;
    let behind =
        Stamps::new(2).next_after(s.now().before(Duration::from_secs(50)), seen.record.latest_stamp());
    let mut second = Changes::new(behind, era);
    second.set("a", b"later".as_slice());
    s.commit(&live, &second).await?;
    // The first one again, as a late message: its clock is no excuse.
    s.commit(&live, &first).await?;
    let held = s.held(&live).await?;
    claim_eq!(held.record.value("a"), Some(&b"later"[..]), "the value");
    Ok(())
}

async fn a_stamp_from_the_future_is_refused(s: Stage) -> Verdict {
    let live = s.open().await?;
    let era = live.created.record.era().map(|era| era.id()).ok_or_else(|| Failure::broken("no era"))?;
    let mut changes = Changes::new(Stamps::new(9).next(s.now() + Duration::from_secs(120)), era);
    changes.set("a", b"1".as_slice());
    refused(
        s.commit(&live, &changes).await,
        &[ErrorKind::ClockSkew],
        "a write of a clock two minutes ahead",
    )?;
    claim_eq!(s.held(&live).await?.record, live.created.record, "the session");
    Ok(())
}

async fn a_commit_for_an_unknown_key_makes_no_session(s: Stage) -> Verdict {
    let token = s.token();
    let record = Record::create(s.new_record(&token));
    let plain = s.setting(&record, "a", b"1");
    let login = s.login(&record, &token, &s.user("ada"));
    for (changes, what) in [(plain, "a write"), (login, "a login")] {
        let answer =
            s.store().commit(token.key(), Version::default(), &changes, &CommitOptions::default()).await;
        refused(answer, &[ErrorKind::Missing], what)?;
        claim!(s.store().load(token.key(), &s.look()).await?.is_none(), "{what} made a session");
    }
    claim_eq!(s.keys_of(&s.user("ada")).await?, [], "the user's sessions");
    s.store().create(token.key(), record, &CreateOptions::default()).await?;
    Ok(())
}

async fn a_commit_to_an_ended_session_is_refused(s: Stage) -> Verdict {
    let live = s.open().await?;
    let record = &live.created.record;
    let write = s.setting(record, "a", b"1");
    let login = s.login(record, &s.secret_for(&live), &s.user("ada"));
    s.end(&live).await?;
    for (changes, what) in [(write, "a write"), (login, "a login")] {
        for retry in [false, true] {
            let answer = s.commit_with(&live, &changes, &CommitOptions::default().retry(retry)).await;
            refused(answer, &[ErrorKind::Ended, ErrorKind::Missing], what)?;
            claim!(!s.is_live(&live).await?, "{what} brought the session back");
        }
    }
    claim_eq!(s.keys_of(&s.user("ada")).await?, [], "the user's sessions");
    Ok(())
}

async fn a_commit_to_an_expired_session_does_not_revive_it(s: Stage) -> Verdict {
    let live = s.open().await?;
    let record = live.created.record.clone();
    s.pass(IDLE).await?;
    let mut changes = s.changes(&record);
    changes.seen_at(s.now());
    changes.set_idle_timeout(2 * IDLE);
    refused(s.commit(&live, &changes).await, &[ErrorKind::Ended, ErrorKind::Missing], "a slide")?;
    claim!(!s.is_live(&live).await?, "a slide brought an expired session back");
    Ok(())
}

async fn a_write_begun_before_a_login_is_superseded(s: Stage) -> Verdict {
    let live = s.open().await?;
    let record = &live.created.record;
    let login = s.login(record, &s.secret_for(&live), &s.user("ada"));
    let mut late = s.setting(record, "role", b"admin");
    late.set_idle_timeout(2 * IDLE);
    let signed_in = s.commit(&live, &login).await?;
    for retry in [false, true] {
        let answer = s.commit_with(&live, &late, &CommitOptions::default().retry(retry)).await;
        // An owner that has not heard of the login yet may take it: whether the login kept it nobody can tell then.
        let kinds = [ErrorKind::Superseded, ErrorKind::Ambiguous];
        refused(answer, &kinds, "a write that began before the login")?;
    }
    claim_eq!(s.held(&live).await?.record, signed_in.record, "the session after the login");
    Ok(())
}

async fn an_update_whose_value_moved_is_a_conflict(s: Stage) -> Verdict {
    let live = s.open().await?;
    let mut late = s.updating(&live.created.record, "a", b"late");
    late.set("b", b"late".as_slice());
    let now = s.set(&live, "a", b"1").await?;
    match s.commit(&live, &late).await {
        Ok(_) => return Err(Failure::broken("an update of a value that moved was accepted")),
        Err(mut error) => {
            claim_eq!(error.kind(), ErrorKind::Conflict, "the refusal");
            if let Some(current) = error.take_current() {
                claim_eq!(current.record, now.record, "the record that came with the refusal");
                claim_eq!(current.version, now.version, "the version that came with the refusal");
            }
        }
    }
    claim_eq!(s.held(&live).await?.record, now.record, "the session after the refusal");
    Ok(())
}

async fn a_login_of_a_user_ended_after_it_began_is_refused(s: Stage) -> Verdict {
    let (live, user, other) = (s.open().await?, s.user("ada"), s.user("bob"));
    let began = CommitOptions::default().began(s.now());
    s.pass(TICK).await?;
    s.store().end_user(&user, &EndUserOptions::default()).await?;
    let login = s.login(&live.created.record, &s.secret_for(&live), &user);
    refused(
        s.commit_with(&live, &login, &began).await,
        &[ErrorKind::Superseded],
        "a login that began before",
    )?;
    claim_eq!(s.held(&live).await?.record, live.created.record, "the session after the refusal");
    claim_eq!(s.keys_of(&user).await?, [], "the user's sessions");
    let login = s.login(&live.created.record, &s.secret_for(&live), &other);
    s.commit_with(&live, &login, &began).await?;
    let second = s.open().await?;
    let login = s.login(&second.created.record, &s.secret_for(&second), &user);
    s.commit_with(&second, &login, &CommitOptions::default().began(s.now())).await?;
    Ok(())
}

async fn a_commit_that_grows_past_the_limit_is_refused(s: Stage) -> Verdict {
    let live = s.open().await?;
    let held = s.set(&live, "a", &[7; 300]).await?;
    let weight = held.record.weight();
    let grow = s.setting(&held.record, "b", b"1");
    let tight = CommitOptions::default().max_weight(weight);
    refused(s.commit_with(&live, &grow, &tight).await, &[ErrorKind::TooLarge], "a value too many")?;
    claim_eq!(s.held(&live).await?.record, held.record, "the session after the refusal");
    let shrink = s.setting(&held.record, "a", b"1");
    let answer = s.commit_with(&live, &shrink, &CommitOptions::default().max_weight(1)).await?;
    claim!(answer.record.weight() < weight, "a record above its limit cannot shrink");
    let fits = s.setting(&answer.record, "b", b"1");
    s.commit_with(&live, &fits, &tight).await?;
    Ok(())
}

async fn bytes_that_a_wrapper_added_do_not_count_against_the_limit(s: Stage) -> Verdict {
    const ADDED: usize = 10;
    let live = s.open().await?;
    let held = s.set(&live, "a", &[7; 50]).await?;
    let limit = CommitOptions::default().max_weight(held.record.weight() - ADDED).value_overhead(ADDED);
    let same = s.setting(&held.record, "a", &[8; 50]);
    let held = s.commit_with(&live, &same, &limit).await?;
    let grow = s.setting(&held.record, "a", &[8; 51]);
    refused(s.commit_with(&live, &grow, &limit).await, &[ErrorKind::TooLarge], "a byte too many")?;
    let add = s.setting(&held.record, "b", &[7; 50]);
    let weight = held.record.commit(&add, &CommitRules::at(s.now()))?.map_or(0, |record| record.weight());
    s.commit_with(&live, &add, &limit.max_weight(weight - 2 * ADDED)).await?;
    Ok(())
}

async fn a_version_that_moved_on_refuses_nothing(s: Stage) -> Verdict {
    let live = s.open().await?;
    let current = s.set(&live, "a", b"1").await?.version;
    let versions = [live.created.version, current, Version::default(), Version(u128::MAX)];
    for (n, version) in versions.into_iter().enumerate() {
        let held = s.held(&live).await?;
        let key: Arc<str> = format!("key {n}").into();
        let changes = s.setting(&held.record, &key, b"1");
        let answer = s.store().commit(live.key(), version, &changes, &CommitOptions::default()).await?;
        claim_eq!(answer.record.value(&key), Some(&b"1"[..]), "a value of {version:?}");
        claim_eq!(answer.record.value("a"), Some(&b"1"[..]), "the value from before, of {version:?}");
    }
    Ok(())
}

async fn a_commit_that_a_full_store_has_no_room_for_is_refused_and_changes_nothing(s: Stage) -> Verdict {
    let Some(bound) = s.subject().byte_bound else {
        return Err(Failure::Skipped("the subject names no bound on bytes".into()));
    };
    // Of users, for a store may let a session of nobody go.
    let (live, other) = (s.open_for(&s.user("ada")).await?, s.open_for(&s.user("bob")).await?);
    let value = vec![7; bound / 4];
    for n in 0..4 {
        let held = s.held(&live).await?;
        let answer = s.commit(&live, &s.setting(&held.record, &format!("key {n}"), &value)).await;
        if n < 3 {
            answer?;
            continue;
        }
        refused(answer, &[ErrorKind::Full], "a value that there is no room for")?;
        let after = s.held(&live).await?;
        claim_eq!(after.record, held.record, "the session after a write that was refused");
    }
    claim!(s.is_live(&other).await?, "a session of another user is gone");
    let held = s.held(&live).await?;
    let mut smaller = s.changes(&held.record);
    smaller.set("key 0", b"1".as_slice());
    s.commit(&live, &smaller).await?;
    s.set(&other, "a", &value).await?;
    Ok(())
}
