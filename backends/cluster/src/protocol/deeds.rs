//! What was decided lately under a key, so that an operation which is decided once more finds itself.
//!
//! **Invariants.**
//! 1. A deed comes in by the ballot that decides it, in one step with what it makes of the value. So a later generation has it,
//!    or forgot deeds of that ballot or of later ones.
//! 2. An operation is decided by ballots above its bound alone. So one that is not here was not done, unless deeds of ballots
//!    above its bound were forgotten.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{Changes, Stamp, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::edit::Told;
use super::ids::Ballot;

/// By which an operation is found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Name {
    /// The call of the caller: the same where they make it again.
    pub(crate) call: Stamp,
    /// All its ballots are above this one; zero where the caller makes it again, for nobody knows the first ones.
    pub(crate) bound: Ballot,
}

impl Name {
    /// Of changes, `None` where these find themselves by what is there.
    pub(crate) fn of(changes: &Changes) -> Option<Self> {
        let operation = changes.operation();
        changes.is_conditional().then_some(Self { call: operation, bound: operation })
    }
}

/// How many deeds are remembered under one key.
const MOST: usize = 128;
/// How long: an operation has its time, and is asked for once more. What comes later finds that deeds were forgotten.
const REMEMBERED: Duration = Duration::from_secs(5);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Deed {
    call: Stamp,
    ballot: Ballot,
    told: Told,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Lately {
    /// The highest ballot of a deed that was forgotten.
    forgot: Ballot,
    deeds: Vec<Deed>,
}

/// The deeds of a key. Most keys have none, and take the place of a pointer for it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Deeds(Option<Arc<Lately>>);

/// What is known of an operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// It was done, and this was answered.
    Done(Told),
    /// It was not done.
    None,
    /// It was not done lately.
    Lost,
}

impl Deeds {
    /// What is known of an operation.
    pub(crate) fn trace(&self, name: Name) -> Trace {
        let Some(lately) = &self.0 else { return Trace::None };
        match lately.deeds.iter().find(|deed| deed.call == name.call) {
            Some(deed) => Trace::Done(deed.told.clone()),
            None if name.bound > lately.forgot => Trace::None,
            None => Trace::Lost,
        }
    }

    /// With one more deed, and without those that had their time.
    pub(crate) fn with(&self, name: Name, ballot: Ballot, told: Told, now: Timestamp) -> Self {
        let (mut forgot, before) =
            self.0.as_ref().map_or((Ballot::ZERO, &[][..]), |lately| (lately.forgot, &lately.deeds[..]));
        let is_old = |deed: &Deed| deed.ballot.at() + REMEMBERED < now;
        let too_many = (before.len() + 1).saturating_sub(MOST);
        let mut deeds = Vec::new();
        for (at, deed) in before.iter().enumerate() {
            if at < too_many || is_old(deed) {
                forgot = forgot.max(deed.ballot);
            } else {
                deeds.push(deed.clone());
            }
        }
        deeds.push(Deed { call: name.call, ballot, told });
        Self(Some(Arc::new(Lately { forgot, deeds })))
    }

    /// What two copies of one generation know together. They are alike, for a deed comes in by a ballot alone; were they not,
    /// all who join them would still agree.
    pub(crate) fn join(&self, other: &Self) -> Self {
        if self == other || self.encode() >= other.encode() { self.clone() } else { other.clone() }
    }

    /// How many bytes they take.
    pub(crate) fn weight(&self) -> usize {
        self.0.as_ref().map_or(0, |lately| size_of::<Lately>() + lately.deeds.len() * size_of::<Deed>())
    }

    /// Its bytes, none where there are no deeds.
    pub(crate) fn encode(&self) -> Vec<u8> {
        // Plain data into a vector cannot fail.
        self.0.as_deref().map_or_else(Vec::new, |lately| postcard::to_allocvec(lately).unwrap_or_default())
    }
}

impl Serialize for Deeds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.as_deref().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Deeds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Option::<Lately>::deserialize(deserializer).map(|lately| Self(lately.map(Arc::new)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Stamp {
        Stamp::floor(Timestamp::from_millis(millis))
    }

    fn named(millis: u64) -> Name {
        Name { call: at(millis), bound: at(millis) }
    }

    fn done(deeds: &Deeds, name: u64, ballot: u64) -> Deeds {
        deeds.with(named(name), at(ballot), Told::Stored, Timestamp::from_millis(ballot))
    }

    #[test]
    fn an_operation_that_was_done_is_found_and_another_one_is_known_not_to_be() {
        let deeds = done(&Deeds::default(), 1, 2);
        assert_eq!(deeds.trace(named(1)), Trace::Done(Told::Stored));
        assert_eq!(deeds.trace(named(2)), Trace::None);
        assert_eq!(Deeds::default().trace(named(1)), Trace::None);
    }

    #[test]
    fn a_call_that_is_made_again_is_found_though_its_first_ballots_are_not_known() {
        let again = |millis| Name { bound: Ballot::ZERO, ..named(millis) };
        let deeds = done(&Deeds::default(), 1, 2);
        assert_eq!(deeds.trace(again(1)), Trace::Done(Told::Stored));
        assert_eq!(deeds.trace(again(2)), Trace::Lost);
    }

    #[test]
    fn what_had_its_time_is_forgotten_and_nobody_says_that_it_was_not_done() {
        let later = 3 + u64::try_from(REMEMBERED.as_millis()).unwrap();
        let deeds = done(&done(&Deeds::default(), 1, 2), later - 1, later);
        assert_eq!(deeds.trace(named(1)), Trace::Lost);
        assert_eq!(deeds.trace(named(2)), Trace::Lost, "it may have been decided by that ballot");
        assert_eq!(deeds.trace(named(3)), Trace::None, "its ballots are above all that were forgotten");
    }

    #[test]
    fn so_many_are_remembered_and_the_first_go() {
        let many = u64::try_from(MOST).unwrap() + 1;
        let deeds = (1..=many).fold(Deeds::default(), |deeds, n| done(&deeds, 1_000 - n, 1_000 + n));
        assert_eq!(deeds.trace(named(999)), Trace::Lost);
        assert_eq!(
            deeds.trace(named(998)),
            Trace::Done(Told::Stored),
            "by the order in which they were done"
        );
    }

    #[test]
    fn the_bytes_of_deeds_are_read_as_what_they_were() {
        for deeds in [Deeds::default(), done(&Deeds::default(), 1, 2)] {
            let bytes = postcard::to_allocvec(&deeds).unwrap();
            assert_eq!(postcard::from_bytes::<Deeds>(&bytes).unwrap(), deeds);
        }
    }
}
