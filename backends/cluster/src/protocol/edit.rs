//! What an operation makes of the value of a key, at the one moment at which it happens.
//!
//! **Invariant.** An edit is a function of what is there, the time and the operation. Asked again, it finds itself and
//! changes nothing; where it cannot know whether it happened before, it says so.

use std::sync::Arc;

use abide_core::{
    Changes, EndOutcome, EndReason, Ended, Error, ErrorKind, Loaded, Record, Stamp, Timestamp, Version,
};

use super::io::Answer;
use super::message::Terms;
use super::user_edit::{UserAnswer, UserEdit, Whose};
use super::user_list::UserList;
use super::value::{Digest, Held, Key, Value};

/// What is to happen to a value.
#[derive(Clone, Debug)]
pub(crate) enum Edit {
    /// Nothing: what is there is made sure of, and loaded.
    Keep,
    Create {
        record: Arc<Record>,
        max_weight: usize,
    },
    Commit {
        changes: Arc<Changes>,
        terms: Terms,
    },
    End {
        reason: EndReason,
    },
    /// Ends a session where it is that user's.
    EndOf {
        whose: Whose,
        reason: EndReason,
    },
    /// Ends a session past its deadline; drops what had its time from the list of a user.
    Expire,
    /// Changes the list of a user.
    User(UserEdit),
}

/// What came of an edit.
#[derive(Debug)]
pub(crate) struct Came {
    /// The new value, `None` where nothing changes.
    pub(crate) value: Option<Held>,
    pub(crate) answer: Result<Told, Error>,
}

/// What is answered once the value is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// What is stored then.
    Stored,
    Ended {
        was_live: bool,
    },
    User(UserAnswer),
}

/// By what an edit is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Judge {
    pub(crate) now: Timestamp,
    /// Whether this operation may have been stored before.
    pub(crate) in_doubt: bool,
}

impl Edit {
    /// What it makes of `held`.
    pub(crate) fn apply(&self, held: &Held, judge: Judge) -> Came {
        let record = held.as_ref().and_then(Value::session);
        match self {
            Self::Keep => Came { value: None, answer: Ok(Told::Stored) },
            Self::Create { record: new, max_weight } => create(record, new, *max_weight, judge),
            Self::Commit { changes, terms } => commit(record, changes, *terms, judge),
            Self::End { reason } => end(record, *reason, judge),
            Self::EndOf { whose, reason } => end_of(record, whose, *reason, judge),
            Self::Expire => match held {
                Some(Value::User(list)) => sweep(list, judge),
                _ => expire(record, judge),
            },
            Self::User(edit) => user(edit, held, judge),
        }
    }
}

fn refused(kind: ErrorKind, judge: Judge) -> Came {
    let over = matches!(kind, ErrorKind::Ended | ErrorKind::Missing | ErrorKind::Superseded);
    let kind = if judge.in_doubt && over { ErrorKind::Ambiguous } else { kind };
    Came { value: None, answer: Err(kind.into()) }
}

fn stored(record: Record, told: Told) -> Came {
    Came { value: Some(Some(Value::Session(Arc::new(record)))), answer: Ok(told) }
}

fn create(record: Option<&Arc<Record>>, new: &Arc<Record>, max_weight: usize, judge: Judge) -> Came {
    match record {
        Some(record) if record.over(judge.now).is_some() => refused(ErrorKind::Ended, judge),
        Some(record) if record.created() == new.created() => Came { value: None, answer: Ok(Told::Stored) },
        Some(_) => refused(ErrorKind::Exists, judge),
        None if new.over(judge.now).is_some() => refused(ErrorKind::Ended, judge),
        None if new.weight() > max_weight => refused(ErrorKind::TooLarge, judge),
        None => stored(Record::clone(new), Told::Stored),
    }
}

fn commit(record: Option<&Arc<Record>>, changes: &Changes, terms: Terms, judge: Judge) -> Came {
    let Some(record) = record else { return refused(ErrorKind::Missing, judge) };
    let mut rules = terms.rules(judge.now);
    rules.retry |= judge.in_doubt;
    match record.commit(changes, &rules) {
        Ok(Some(record)) => stored(record, Told::Stored),
        Ok(None) => Came { value: None, answer: Ok(Told::Stored) },
        Err(error) => match refused(error.kind(), judge) {
            Came { answer: Err(kind), .. } if kind.kind() == error.kind() => {
                Came { value: None, answer: Err(error) }
            }
            came => came,
        },
    }
}

fn end(record: Option<&Arc<Record>>, reason: EndReason, judge: Judge) -> Came {
    let ended = |was_live| Told::Ended { was_live };
    let Some(record) = record else {
        return stored(Record::ended(Stamp::ZERO, judge.now, reason), ended(judge.in_doubt));
    };
    match (record.era(), record.over(judge.now)) {
        // What was live before this operation's first attempt may have been ended by that very attempt.
        (None, _) => Came { value: None, answer: Ok(ended(judge.in_doubt)) },
        (Some(_), Some(over)) => stored(over_since(record, over), ended(false)),
        (Some(_), None) => stored(Record::ended(record.created(), judge.now, reason), ended(true)),
    }
}

fn end_of(record: Option<&Arc<Record>>, whose: &Whose, reason: EndReason, judge: Judge) -> Came {
    match record {
        Some(record) if record.era().is_none() || whose.is_of(record) => end(Some(record), reason, judge),
        _ => Came { value: None, answer: Ok(Told::Ended { was_live: false }) },
    }
}

fn expire(record: Option<&Arc<Record>>, judge: Judge) -> Came {
    match record.map(|record| (record, record.era(), record.over(judge.now))) {
        Some((record, Some(_), Some(over))) => stored(over_since(record, over), Told::Stored),
        _ => Came { value: None, answer: Ok(Told::Stored) },
    }
}

fn user(edit: &UserEdit, held: &Held, judge: Judge) -> Came {
    let before = held.as_ref().and_then(Value::user_list);
    let mut list = before.map(|list| UserList::clone(list)).unwrap_or_default();
    let answer = edit.apply(&mut list, judge.now).map(Told::User);
    Came { value: changed(before, list), answer }
}

fn sweep(before: &Arc<UserList>, judge: Judge) -> Came {
    let mut list = UserList::clone(before);
    list.sweep(judge.now);
    Came { value: changed(Some(before), list), answer: Ok(Told::Stored) }
}

/// The value to be stored, `None` where it is that already. Of an empty list nothing is left.
fn changed(before: Option<&Arc<UserList>>, list: UserList) -> Option<Held> {
    let list = if list.is_empty() { UserList::default() } else { list };
    let is_same = before.map_or(list.is_empty(), |before| **before == list);
    (!is_same).then(|| Some(Value::User(Arc::new(list))))
}

fn over_since(record: &Record, over: Ended) -> Record {
    Record::ended(record.created(), over.at, over.reason)
}

/// The session that is held, `None` where it is missing or over.
pub(crate) fn loaded(held: &Held, digest: Digest) -> Option<Loaded> {
    let record = held.as_ref()?.session()?;
    record.era()?;
    Some(Loaded::new(record.clone(), Version(digest.0)))
}

/// What a read answers.
pub(crate) fn read(key: &Key, held: &Held, digest: Digest) -> Answer {
    match key {
        Key::Session(_) => Answer::Session(loaded(held, digest)),
        Key::User(_) => {
            Answer::UserList(held.as_ref().and_then(Value::user_list).cloned().unwrap_or_default())
        }
    }
}

/// What is answered by an edit that left `held`. A conflict carries what is there.
pub(crate) fn answered(answer: Result<Told, Error>, held: &Held) -> Result<Answer, Error> {
    let digest = super::value::digest(held);
    answer.map(|answer| told(answer, held, digest)).map_err(|error| match loaded(held, digest) {
        Some(loaded) if error.kind() == ErrorKind::Conflict => error.with_current(loaded),
        _ => error,
    })
}

/// What is answered.
pub(crate) fn told(told: Told, held: &Held, digest: Digest) -> Answer {
    match told {
        Told::User(answer) => Answer::User(answer),
        Told::Stored => Answer::Session(loaded(held, digest)),
        Told::Ended { was_live } => Answer::Ended(EndOutcome::new(was_live)),
    }
}
