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
use super::value::{Digest, Held, Value};

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
    /// Ends a session past its deadline.
    Expire,
}

/// What came of an edit.
#[derive(Debug)]
pub(crate) struct Came {
    /// The new value, `None` where nothing changes.
    pub(crate) value: Option<Held>,
    /// `None`: the session, as it is then.
    pub(crate) answer: Result<Told, Error>,
}

/// What is answered once the value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Told {
    /// What is stored then.
    Session,
    Ended {
        was_live: bool,
    },
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
        let record = held.as_ref().map(Value::session);
        match self {
            Self::Keep => Came { value: None, answer: Ok(Told::Session) },
            Self::Create { record: new, max_weight } => create(record, new, *max_weight, judge),
            Self::Commit { changes, terms } => commit(record, changes, *terms, judge),
            Self::End { reason } => end(record, *reason, judge),
            Self::Expire => expire(record, judge),
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
        Some(record) if record.created() == new.created() => Came { value: None, answer: Ok(Told::Session) },
        Some(_) => refused(ErrorKind::Exists, judge),
        None if new.over(judge.now).is_some() => refused(ErrorKind::Ended, judge),
        None if new.weight() > max_weight => refused(ErrorKind::TooLarge, judge),
        None => stored(Record::clone(new), Told::Session),
    }
}

fn commit(record: Option<&Arc<Record>>, changes: &Changes, terms: Terms, judge: Judge) -> Came {
    let Some(record) = record else { return refused(ErrorKind::Missing, judge) };
    let mut rules = terms.rules(judge.now);
    rules.retry |= judge.in_doubt;
    match record.commit(changes, &rules) {
        Ok(Some(record)) => stored(record, Told::Session),
        Ok(None) => Came { value: None, answer: Ok(Told::Session) },
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

fn expire(record: Option<&Arc<Record>>, judge: Judge) -> Came {
    match record.map(|record| (record, record.era(), record.over(judge.now))) {
        Some((record, Some(_), Some(over))) => stored(over_since(record, over), Told::Session),
        _ => Came { value: None, answer: Ok(Told::Session) },
    }
}

fn over_since(record: &Record, over: Ended) -> Record {
    Record::ended(record.created(), over.at, over.reason)
}

/// The session that is held, `None` where it is missing or over.
pub(crate) fn loaded(held: &Held, digest: Digest) -> Option<Loaded> {
    let record = held.as_ref()?.session();
    record.era()?;
    Some(Loaded::new(record.clone(), Version(digest.0)))
}

/// What is answered.
pub(crate) fn told(told: Told, held: &Held, digest: Digest) -> Answer {
    match told {
        Told::Session => Answer::Session(loaded(held, digest)),
        Told::Ended { was_live } => Answer::Ended(EndOutcome::new(was_live)),
    }
}
