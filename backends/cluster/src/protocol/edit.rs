//! What an operation makes of the value of a key, at the one moment at which it happens.
//!
//! **Invariant.** An edit is a function of what is there, the time and the operation. Asked again, it finds itself and
//! changes nothing; where it cannot know whether it happened before, it says so.

use std::sync::Arc;

use abide_core::{
    Changes, EndOutcome, EndReason, Ended, Error, ErrorKind, Loaded, Record, Stamp, Timestamp, Version,
};

use serde::{Deserialize, Serialize};

use super::deeds::{Deeds, Name, Trace};
use super::ids::Ballot;
use super::io::Answer;
use super::message::Terms;
use super::user_edit::{UserAnswer, UserEdit, Whose};
use super::user_list::UserList;
use super::value::{Digest, Held, Key, Value};
use super::variant::Variant;

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
    User {
        edit: UserEdit,
        /// By which it finds itself.
        name: Name,
    },
}

/// What came of an edit.
#[derive(Debug)]
pub(crate) struct Came {
    /// The new value, `None` where nothing changes.
    pub(crate) value: Option<Held>,
    pub(crate) answer: Result<Told, Error>,
}

/// What is answered once the value is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Whether it is another node's: then the word of it may have come late, when that node has its answer already.
    pub(crate) is_entrusted: bool,
    /// The rule that is left out.
    pub(crate) variant: Option<Variant>,
}

impl Edit {
    /// The name by which it is found among the deeds, `None` where it finds itself by what is there.
    pub(crate) fn name(&self) -> Option<Name> {
        match self {
            Self::Commit { changes, .. } => Name::of(changes),
            // Raised once more, a barrier is where it was; and whom it found may be long.
            Self::User { edit, name } if !matches!(edit, UserEdit::Raise(_)) => Some(*name),
            _ => None,
        }
    }

    /// What it makes of `held` where this ballot decides it, what was done before included.
    pub(crate) fn decided(&self, held: &Held, judge: Judge, ballot: Ballot) -> Came {
        let before = held.as_ref().map(|value| value.deeds().clone()).unwrap_or_default();
        match self.name().filter(|_| judge.variant != Some(Variant::NoDeeds)) {
            Some(name) => self.named(name, held, &before, judge, ballot),
            None => self.apply(held, judge).after(before),
        }
    }

    fn named(&self, name: Name, held: &Held, before: &Deeds, judge: Judge, ballot: Ballot) -> Came {
        let is_list = matches!(self, Self::User { .. });
        let judge = match before.trace(name) {
            // Nothing is remembered of a session that is over.
            _ if !is_list && held.as_ref().is_none_or(Value::is_tombstone) => judge,
            Trace::Done(told) if is_list || self.is_again(held, judge) => {
                return Came { value: None, answer: Ok(told) };
            }
            Trace::None => Judge { in_doubt: false, ..judge },
            // Done now, it might be done for the second time, or after its answer.
            Trace::Lost if is_list && judge.is_entrusted => return lost(judge),
            Trace::Done(_) | Trace::Lost => judge,
        };
        let came = self.apply(held, judge);
        let Ok(told) = &came.answer else { return came.after(before.clone()) };
        let deeds = before.with(name, ballot, told.clone(), judge.now);
        // Of a list it is also remembered what changed nothing: the word of it may come again when it would.
        let unchanged = || held.clone().or_else(|| Some(Value::User(Arc::default(), Deeds::default())));
        let value = came.value.or_else(|| is_list.then(unchanged));
        Came { value, ..came }.after(deeds)
    }

    /// Whether a commit is made once more, in the era in which it was made.
    fn is_again(&self, held: &Held, judge: Judge) -> bool {
        let Self::Commit { changes, terms } = self else { return false };
        let era = held.as_ref().and_then(Value::session).and_then(|record| record.era());
        (judge.in_doubt || terms.retry) && era.is_some_and(|era| era.id() == changes.era())
    }

    /// What it makes of `held`.
    fn apply(&self, held: &Held, judge: Judge) -> Came {
        let record = held.as_ref().and_then(Value::session);
        match self {
            Self::Keep => Came { value: None, answer: Ok(Told::Stored) },
            Self::Create { record: new, max_weight } => create(record, new, *max_weight, judge),
            Self::Commit { changes, terms } => commit(record, changes, *terms, judge),
            Self::End { reason } => end(record, *reason, judge),
            Self::EndOf { whose, reason } => end_of(record, whose, *reason, judge),
            Self::Expire => match held {
                Some(Value::User(list, _)) => sweep(list, judge),
                _ => expire(record, judge),
            },
            Self::User { edit, .. } => user(edit, held, judge),
        }
    }
}

impl Came {
    fn after(self, deeds: Deeds) -> Self {
        let value = self.value.map(|held| held.map(|value| value.after(deeds)));
        Self { value, ..self }
    }
}

fn lost(judge: Judge) -> Came {
    let kind = if judge.in_doubt { ErrorKind::Ambiguous } else { ErrorKind::Unavailable };
    Came { value: None, answer: Err(Error::new(kind, "nobody remembers whether it was done")) }
}

fn refused(kind: ErrorKind, judge: Judge) -> Came {
    let over = matches!(kind, ErrorKind::Ended | ErrorKind::Missing | ErrorKind::Superseded);
    let kind = if judge.in_doubt && over { ErrorKind::Ambiguous } else { kind };
    Came { value: None, answer: Err(kind.into()) }
}

fn stored(record: Record, told: Told) -> Came {
    Came { value: Some(Some(Value::Session(Arc::new(record), Deeds::default()))), answer: Ok(told) }
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
        // In doubt or not: it never opened its era.
        Err(error) if record.era().is_some_and(|era| changes.lost_to(era.id())) => {
            Came { value: None, answer: Err(error) }
        }
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
    (!is_same).then(|| Some(Value::User(Arc::new(list), Deeds::default())))
}

fn over_since(record: &Record, over: Ended) -> Record {
    Record::ended(record.created(), over.at, over.reason)
}

/// The session that is held, `None` where it is missing or over. `known` is the digest of what is held where somebody has it
/// already.
pub(crate) fn loaded(held: &Held, known: Option<Digest>) -> Option<Loaded> {
    let value = held.as_ref()?;
    let record = value.session()?;
    record.era()?;
    Some(Loaded::new(record.clone(), Version(value.version(known).into())))
}

/// What a read answers.
pub(crate) fn read(key: &Key, held: &Held, known: Option<Digest>) -> Answer {
    match key {
        Key::Session(_) => Answer::Session(loaded(held, known)),
        Key::User(_) => {
            Answer::UserList(held.as_ref().and_then(Value::user_list).cloned().unwrap_or_default())
        }
    }
}

/// What is answered by an edit that left `held`. A conflict carries what is there.
pub(crate) fn answered(
    answer: Result<Told, Error>,
    held: &Held,
    known: Option<Digest>,
) -> Result<Answer, Error> {
    let conflict = |error: Error| match loaded(held, known) {
        Some(loaded) => error.with_current(loaded),
        None => error,
    };
    answer.map(|answer| told(answer, held, known)).map_err(|error| match error.kind() {
        ErrorKind::Conflict => conflict(error),
        _ => error,
    })
}

/// What is answered.
fn told(told: Told, held: &Held, known: Option<Digest>) -> Answer {
    match told {
        Told::User(answer) => Answer::User(answer),
        Told::Stored => Answer::Session(loaded(held, known)),
        Told::Ended { was_live } => Answer::Ended(EndOutcome::new(was_live)),
    }
}

#[cfg(test)]
mod tests {
    use abide_core::{CommitRules, EraId, NewEra, NewRecord, Stamps, Token, Verifier};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000);

    fn login(stamps: &Stamps, era: EraId, nonce: u8) -> Arc<Changes> {
        let mut changes = Changes::new(stamps.next(NOW), era);
        let verifier = Verifier::from_bytes([nonce; 16]);
        changes.open_era(NewEra::new([nonce; 16], verifier, Timestamp::MAX));
        Arc::new(changes)
    }

    /// What is answered to a login in doubt of which nothing is remembered.
    fn answer(held: &Held, changes: &Arc<Changes>) -> Result<Told, ErrorKind> {
        let terms = Terms { began: NOW, max_weight: 10_000, value_overhead: 0, retry: false };
        let judge = Judge { now: NOW, in_doubt: true, is_entrusted: false, variant: None };
        let edit = Edit::Commit { changes: changes.clone(), terms };
        edit.decided(held, judge, Ballot::floor(NOW)).answer.map_err(|error| error.kind())
    }

    #[test]
    fn a_login_in_doubt_knows_that_another_one_took_its_place_and_not_what_came_before_a_third() {
        let (stamps, token) = (Stamps::new(7), Token::from_bytes([1; 32]));
        let record = Record::create(NewRecord::new(stamps.next(NOW), [0; 16], token.verifier(), NOW));
        let era = record.era().unwrap().id();
        let apply = |record: &Record, changes: &Changes| {
            record.commit(changes, &CommitRules::at(NOW)).unwrap().unwrap()
        };
        let held = |record: Record| Some(Value::Session(Arc::new(record), Deeds::default()));
        let (mine, theirs) = (login(&stamps, era, 1), login(&stamps, era, 2));
        assert_eq!(answer(&held(apply(&record, &mine)), &mine), Ok(Told::Stored));
        let taken = apply(&record, &theirs);
        let third = apply(&taken, &login(&stamps, taken.era().unwrap().id(), 3));
        assert_eq!(answer(&held(taken), &mine), Err(ErrorKind::Superseded));
        assert_eq!(answer(&held(third), &mine), Err(ErrorKind::Ambiguous));
    }
}
