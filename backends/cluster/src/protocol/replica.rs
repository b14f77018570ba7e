//! What an owner holds of a key, and what it promises.
//!
//! A key is a register decided by ballots, one after the other. The value that a ballot stored, together with the blind
//! writes that came to it since, is a *generation*; the number of a generation is its ballot.
//!
//! **Invariants.**
//! 1. One ballot stores one value: its proposer had the promises of a majority, and stored what it made of their join.
//! 2. `generation <= promised`. Nothing of a lower ballot than `promised` is stored.
//! 3. A blind write is taken only into the generation it was made for, and only while nothing above that generation is
//!    promised. So what a majority took into a generation was seen by every proposer of a later one.
//! 4. What another copy told below a promise is hearsay: its ballot may have been overtaken before a majority stored it, however
//!    many hold it by now. No read rests on it until a ballot stores it, or something else, once more.
//! 5. A higher generation replaces a lower one whole; within one generation copies join.
//! 6. What was forgotten leaves a floor: a key that nothing is held of counts as promised to the highest ballot that was ever
//!    forgotten beside it. So no ballot wins that is lower than one that another owner still remembers, and a promise is kept
//!    also where its key is forgotten meanwhile.

use std::time::Duration;

use abide_core::{Changes, CommitRules, ErrorKind, Record};
use serde::{Deserialize, Serialize};

use super::ids::Ballot;
use super::value::{Digest, Held, Value, digest, join};
use super::variant::Variant;

/// What one owner holds of one key.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cell {
    pub(crate) generation: Ballot,
    pub(crate) promised: Ballot,
    held: Held,
    digest: Digest,
    /// Since when it is as it is, in full seconds: tombstones go by their age. Below zero where it was so before this process began.
    since: i32,
    is_hearsay: bool,
    /// Since when all owners are known to have this tombstone, and in which view.
    pub(crate) settled: Option<Box<(u64, Duration)>>,
}

/// What an owner tells of a key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct State {
    pub(crate) generation: Ballot,
    pub(crate) digest: Digest,
    pub(crate) body: Body,
}

/// The value of a state.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Body {
    /// Not told: who asked has it, or did not ask for it.
    Omitted,
    /// What is held.
    Given(Held),
}

/// Why an owner does not do what it is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Nack {
    /// Another ballot was promised, or the generation is another one.
    Overtaken(Ballot),
    /// The changes do not apply to what is held.
    Refused(ErrorKind),
}

impl Cell {
    /// Nothing, where ballots below this one may have been forgotten.
    pub(crate) fn above(floor: Ballot) -> Self {
        Self { promised: floor, ..Self::default() }
    }

    pub(crate) fn held(&self) -> &Held {
        &self.held
    }

    /// For how long it is as it is, in full seconds, at this owner or another one: rather too short.
    pub(crate) fn age(&self, now: Duration) -> u32 {
        u32::try_from(seconds(now).saturating_sub(self.since)).unwrap_or_default()
    }

    /// Another owner has it as it is for so long.
    pub(crate) fn is_as_old(&mut self, age: u32, now: Duration) {
        let age = i32::try_from(age).unwrap_or(i32::MAX);
        self.since = self.since.min(seconds(now).saturating_add(1).saturating_sub(age));
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest
    }

    /// Whether nothing is left of it but that it was, or was asked for.
    pub(crate) fn is_tombstone(&self) -> bool {
        self.held.as_ref().is_none_or(|value| value.is_tombstone())
    }

    pub(crate) fn state(&self, body: bool) -> State {
        let body = if body { Body::Given(self.held.clone()) } else { Body::Omitted };
        State { generation: self.generation, digest: self.digest, body }
    }

    /// Promises to store nothing of a lower ballot.
    pub(crate) fn promise(&mut self, ballot: Ballot) -> Result<(), Nack> {
        if ballot < self.promised || ballot <= self.generation {
            return Err(Nack::Overtaken(self.promised.max(self.generation)));
        }
        self.promised = ballot;
        Ok(())
    }

    /// Stores what a ballot decided on, or joins what is known of its generation.
    pub(crate) fn store(&mut self, ballot: Ballot, value: &Held, now: Duration) -> Result<(), Nack> {
        if ballot < self.promised || ballot < self.generation {
            return Err(Nack::Overtaken(self.promised.max(self.generation)));
        }
        self.absorb(ballot, ballot, value, now);
        Ok(())
    }

    /// Whether nobody may take what is held for stored by a majority: see the invariants.
    pub(crate) fn is_hearsay(&self) -> bool {
        self.is_hearsay
    }

    /// Takes over what another copy holds, its promise included.
    pub(crate) fn absorb(&mut self, generation: Ballot, promised: Ballot, value: &Held, now: Duration) {
        if generation > self.generation {
            (self.generation, self.settled) = (generation, None);
            self.hold(value.clone(), now);
        } else if generation == self.generation {
            self.hold(join(&self.held, value), now);
        }
        self.learn_promise(promised);
    }

    /// Another copy promised this, or may have.
    pub(crate) fn learn_promise(&mut self, promised: Ballot) {
        self.promised = self.promised.max(promised).max(self.generation);
        self.is_hearsay = self.promised > self.generation;
    }

    /// Takes a blind write into `generation`.
    pub(crate) fn write(
        &mut self,
        generation: Ballot,
        changes: &Changes,
        rules: &CommitRules,
        now: Duration,
        variant: Option<Variant>,
    ) -> Result<(), Nack> {
        let frozen = self.promised != self.generation && variant != Some(Variant::WritesPastPromises);
        let other = self.generation != generation && variant != Some(Variant::NoFence);
        if other || frozen {
            return Err(Nack::Overtaken(self.promised.max(self.generation)));
        }
        let Some(Value::Session(record, _)) = &mut self.held else {
            return Err(Nack::Refused(ErrorKind::Missing));
        };
        match Record::commit_in_place(record, changes, rules) {
            Ok(true) => self.changed(now),
            Ok(false) => {}
            Err(error) => return Err(Nack::Refused(error.kind())),
        }
        Ok(())
    }

    fn hold(&mut self, held: Held, now: Duration) {
        self.held = held;
        self.changed(now);
    }

    /// What is held may be another value than it was.
    fn changed(&mut self, now: Duration) {
        let new = digest(&self.held);
        if new != self.digest {
            // Rather younger than it is.
            (self.digest, self.since, self.settled) = (new, seconds(now).saturating_add(1), None);
        }
    }
}

fn seconds(now: Duration) -> i32 {
    i32::try_from(now.as_secs()).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use abide_core::{NewRecord, Stamps, Timestamp, Token};

    use super::*;
    use crate::protocol::deeds::Deeds;

    fn value(n: u8) -> Held {
        let (now, token) = (Timestamp::from_millis(1_000), Token::from_bytes([1; 32]));
        let new = NewRecord::new(Stamps::new(u64::from(n)).next(now), [n; 16], token.verifier(), now);
        Some(Value::Session(Arc::new(Record::create(new)), Deeds::default()))
    }

    fn ballot(at: u64) -> Ballot {
        Ballot::floor(Timestamp::from_millis(at))
    }

    #[test]
    fn a_promise_keeps_lower_ballots_out() {
        let mut cell = Cell::default();
        cell.promise(ballot(2)).unwrap();
        assert_eq!(cell.promise(ballot(1)), Err(Nack::Overtaken(ballot(2))));
        assert_eq!(cell.store(ballot(1), &value(1), Duration::ZERO), Err(Nack::Overtaken(ballot(2))));
        cell.store(ballot(2), &value(1), Duration::ZERO).unwrap();
        assert_eq!(cell.promise(ballot(2)), Err(Nack::Overtaken(ballot(2))), "a ballot decides once");
    }

    #[test]
    fn what_another_copy_told_below_a_promise_is_hearsay_until_a_ballot_stores_it() {
        let mut cell = Cell::default();
        cell.store(ballot(1), &value(1), Duration::ZERO).unwrap();
        cell.promise(ballot(3)).unwrap();
        assert!(!cell.is_hearsay(), "it took this before it promised anything above it");
        cell.absorb(ballot(2), ballot(2), &value(2), Duration::ZERO);
        assert!(cell.is_hearsay(), "whoever has the promise does not know of it");
        cell.promise(ballot(4)).unwrap();
        assert!(cell.is_hearsay(), "nor does whoever has this one too");
        cell.store(ballot(4), &value(2), Duration::ZERO).unwrap();
        assert!(!cell.is_hearsay());
        cell.learn_promise(ballot(5));
        assert!(cell.is_hearsay(), "who promised that may not have known of it");
        cell.absorb(ballot(6), ballot(6), &value(3), Duration::ZERO);
        assert!(!cell.is_hearsay(), "nothing above it was promised");
    }

    #[test]
    fn a_blind_write_stays_out_of_a_promised_and_of_another_generation() {
        let mut cell = Cell::default();
        cell.store(ballot(1), &value(1), Duration::ZERO).unwrap();
        let now = Timestamp::from_millis(1_000);
        let era = cell.held().as_ref().unwrap().session().unwrap().era().unwrap().id();
        let mut changes = Changes::new(Stamps::new(9).next(now), era);
        changes.set("a", b"1".as_slice());
        let rules = CommitRules::at(now);
        let write =
            |cell: &mut Cell, generation| cell.write(generation, &changes, &rules, Duration::ZERO, None);
        assert_eq!(write(&mut cell, ballot(2)), Err(Nack::Overtaken(ballot(1))));
        assert_eq!(write(&mut cell, ballot(1)), Ok(()));
        cell.promise(ballot(3)).unwrap();
        assert_eq!(write(&mut cell, ballot(1)), Err(Nack::Overtaken(ballot(3))));
    }

    #[test]
    fn what_is_taken_over_is_as_old_as_it_was_and_what_is_new_is_not() {
        let [late, later] = [20, 21].map(Duration::from_secs);
        let mut cell = Cell::default();
        cell.absorb(ballot(1), ballot(1), &value(1), late);
        assert_eq!(cell.age(later), 0, "rather younger than it is");
        cell.is_as_old(600, late);
        assert_eq!([cell.age(late), cell.age(later)], [599, 600], "though this process began lately");
        cell.is_as_old(3, later);
        assert_eq!(cell.age(later), 600, "a copy that was made later makes it no younger");
        cell.absorb(ballot(2), ballot(2), &value(2), later);
        assert_eq!(cell.age(later), 0);
    }

    #[test]
    fn what_is_taken_over_brings_its_promise_along() {
        let mut cell = Cell::default();
        cell.absorb(ballot(1), ballot(5), &value(1), Duration::ZERO);
        assert_eq!(cell.promise(ballot(4)), Err(Nack::Overtaken(ballot(5))));
    }
}
