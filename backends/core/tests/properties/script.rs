//! Random histories of one session on several copies, by ordinary operations.
//!
//! Each copy has a writer of its own, whose clock is off by a few seconds. A writer may act on an older state of its
//! copy than the one that its changes meet, as a slow request does.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, CommitRules, EndReason, Ended, Keep, NewEra, NewRecord, Record, Stamps, Timestamp, Verifier,
};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::bytes;

/// When every history begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// How many copies of the session there are.
pub(crate) const COPIES: usize = 3;
/// A history never takes longer: a removal that is older than ten minutes may be forgotten.
const STEPS: usize = 40;

#[derive(Clone, Debug)]
pub(crate) enum Act {
    Set { key: u8, value: Vec<u8> },
    Remove { key: u8 },
    Update { key: u8, value: Option<Vec<u8>> },
    Slide { seconds: u64 },
    Idle { seconds: u64 },
    Renew { verifier: u8 },
    Confirm,
    Open { nonce: u8, user: Option<u8>, keep: Option<u8> },
    End { reason: u8 },
    Meet { other: usize },
    Foreign { in_era: bool, tag: u16, content: Vec<u8> },
}

/// One act on one copy.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) copy: usize,
    /// How much later than the step before.
    pub(crate) millis: u64,
    /// How many states of the copy the writer is behind.
    pub(crate) behind: usize,
    /// Whether the same changes go to every copy, as to the owners of a cluster's slot.
    pub(crate) to_all: bool,
    pub(crate) act: Act,
}

impl Step {
    /// By a writer that saw the latest state, now, and of this copy alone.
    pub(crate) fn now(copy: usize, act: Act) -> Self {
        Self { copy, millis: 0, behind: 0, to_all: false, act }
    }
}

fn content() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..6)
}

/// A change of one value.
pub(crate) fn value_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        (0..4_u8, content()).prop_map(|(key, value)| Act::Set { key, value }),
        (0..4_u8).prop_map(|key| Act::Remove { key }),
        (0..4_u8, option::of(content())).prop_map(|(key, value)| Act::Update { key, value }),
    ]
}

/// Anything that an ordinary commit holds, but for a new era.
pub(crate) fn plain_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        6 => value_act(),
        1 => (0..300_u64).prop_map(|seconds| Act::Slide { seconds }),
        1 => (300..4_000_u64).prop_map(|seconds| Act::Idle { seconds }),
        1 => any::<u8>().prop_map(|verifier| Act::Renew { verifier }),
        1 => Just(Act::Confirm),
    ]
}

fn open_act() -> impl Strategy<Value = Act> {
    (any::<u8>(), option::of(0..3_u8), option::of(0..4_u8)).prop_map(|(nonce, user, keep)| Act::Open {
        nonce,
        user,
        keep,
    })
}

fn any_act() -> impl Strategy<Value = Act> {
    prop_oneof![
        20 => plain_act(),
        2 => open_act(),
        1 => (0..8_u8).prop_map(|reason| Act::End { reason }),
        4 => (0..COPIES).prop_map(|other| Act::Meet { other }),
        2 => (any::<bool>(), 100..104_u16, content())
            .prop_map(|(in_era, tag, content)| Act::Foreign { in_era, tag, content }),
    ]
}

fn step(act: impl Strategy<Value = Act>) -> impl Strategy<Value = Step> {
    (0..COPIES, 0..4_000_u64, 0..4_usize, any::<bool>(), act)
        .prop_map(|(copy, millis, behind, to_all, act)| Step { copy, millis, behind, to_all, act })
}

/// A history in which anything happens.
pub(crate) fn history() -> impl Strategy<Value = Vec<Step>> {
    vec(step(any_act()), 0..STEPS)
}

/// A history on one copy in which the session neither ends nor meets another copy; now and then a new era opens.
pub(crate) fn quiet_history() -> impl Strategy<Value = Vec<Step>> {
    vec(step(prop_oneof![20 => plain_act(), 1 => open_act()]), 0..STEPS)
}

/// A history of updates alone, more than a record remembers.
pub(crate) fn updates() -> impl Strategy<Value = Vec<Step>> {
    let update = (0..4_u8, content()).prop_map(|(key, value)| Act::Update { key, value: Some(value) });
    vec(step(update), 0..STEPS)
}

/// The copies of a session, with what their writers know.
pub(crate) struct World {
    now: Timestamp,
    writers: Vec<Stamps>,
    /// Every state of each copy, the latest last.
    copies: Vec<Vec<Record>>,
}

impl World {
    pub(crate) fn new() -> Self {
        let writers: Vec<_> = (1..=COPIES as u64).map(Stamps::new).collect();
        let new = NewRecord::new(writers[0].next(START), [0; 16], verifier(0), START)
            .hard_deadline(START + Duration::from_secs(86_400))
            .value(key(0), b"first".as_slice());
        Self { now: START, writers, copies: vec![vec![Record::create(new)]; COPIES] }
    }

    pub(crate) fn after(history: &[Step]) -> Self {
        let mut world = Self::new();
        for step in history {
            world.take(step);
        }
        world
    }

    pub(crate) fn rules(&self) -> CommitRules {
        CommitRules::at(self.now)
    }

    pub(crate) fn copy(&self, copy: usize) -> &Record {
        self.copies[copy].last().expect("a copy has a first state")
    }

    pub(crate) fn take(&mut self, step: &Step) {
        self.now = self.now + Duration::from_millis(step.millis);
        let changes = self.changes(step);
        for copy in 0..COPIES {
            let concerned = copy == step.copy || (step.to_all && changes.is_some());
            let next = concerned.then(|| self.outcome(step, copy, changes.as_ref())).flatten();
            if let Some(next) = next {
                self.put(copy, next);
            }
        }
    }

    pub(crate) fn put(&mut self, copy: usize, next: Record) {
        self.copies[copy].push(next);
    }

    fn outcome(&self, step: &Step, copy: usize, changes: Option<&Changes>) -> Option<Record> {
        let copy = self.copy(copy);
        match &step.act {
            Act::End { reason } => Some(copy.end(self.end_of(*reason))),
            Act::Meet { other } => Some(copy.join(self.copy(*other))),
            Act::Foreign { in_era, tag, content } => Some(bytes::with_foreign(copy, *in_era, *tag, content)),
            _ => copy.commit(changes?, &self.rules()).ok().flatten(),
        }
    }

    fn end_of(&self, reason: u8) -> Ended {
        let reasons = [EndReason::LoggedOut, EndReason::Limit, EndReason::EndedByUser, EndReason::Other(77)];
        let over = Record::ended(self.copy(0).created(), self.now, reasons[usize::from(reason) % 4]);
        over.over(self.now).expect("an ended record")
    }

    /// The changes of a step, as its writer makes them of the state that it saw; `None` where that was over, or the
    /// step is no commit.
    pub(crate) fn changes(&self, step: &Step) -> Option<Changes> {
        let states = &self.copies[step.copy];
        let seen = &states[states.len().saturating_sub(1 + step.behind)];
        let era = seen.era()?;
        let skewed = self.now.before(Duration::from_secs(5 * step.copy as u64));
        let operation = self.writers[step.copy].next_after(skewed, seen.latest_stamp());
        let mut changes = Changes::new(operation, era.id());
        match &step.act {
            Act::Set { key: at, value } => changes.set(key(*at), value.as_slice()),
            Act::Remove { key: at } => changes.remove(key(*at)),
            Act::Update { key: at, value } => {
                let was = era.entry(&key(*at)).map(|entry| entry.stamp());
                changes.update(key(*at), was, value.as_deref().map(Arc::from));
            }
            Act::Slide { seconds } => changes.seen_at(self.now + Duration::from_secs(*seconds)),
            Act::Idle { seconds } => changes.set_idle_timeout(Duration::from_secs(*seconds)),
            Act::Renew { verifier: n } => changes.renew(era.secrets().newest(), verifier(*n), self.now),
            Act::Confirm => changes.confirm(era.secrets().newest(), self.now),
            Act::Open { nonce, user, keep } => changes.open_era(self.new_era(*nonce, *user, *keep)),
            Act::End { .. } | Act::Meet { .. } | Act::Foreign { .. } => return None,
        }
        Some(changes)
    }

    fn new_era(&self, nonce: u8, user: Option<u8>, keep: Option<u8>) -> NewEra {
        let deadline = self.now + Duration::from_secs(7_200);
        let new = NewEra::new([nonce; 16], verifier(nonce), deadline).keep(match keep {
            None => Keep::All,
            Some(0) => Keep::Nothing,
            Some(one) => Keep::Only(vec![key(one).into()]),
        });
        match user {
            Some(user) => new.user(format!("user {user}"), self.now),
            None => new,
        }
    }
}

pub(crate) fn key(n: u8) -> String {
    format!("key {n}")
}

fn verifier(n: u8) -> Verifier {
    Verifier::from_bytes([n; 16])
}
