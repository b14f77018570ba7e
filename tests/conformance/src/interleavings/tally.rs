//! What really happened in many runs: operations, answers, faults, and the races of the table. What never happened was
//! not tested.

use std::collections::BTreeMap;
use std::fmt;

use abide_core::ErrorKind;

use super::checker::Taken;
use super::history::{Act, Change, Entry, Saw, Token, What, Who};
use super::model::{Came, Identity, Life, Pending, State, Worth};
use super::plan::{Abilities, KEYS};
use super::run::History;
use super::steps::{Kind, Step, Work};

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Group {
    Operation,
    Answer,
    Fault,
    Race,
}

/// How often each thing happened.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    seeds: u64,
    counts: BTreeMap<(Group, &'static str), u64>,
}

const OPERATIONS: &[&str] = &[
    "look",
    "set",
    "remove",
    "idle timeout",
    "update",
    "save",
    "login",
    "renew",
    "leave",
    "logout",
    "mint",
    "confirm",
    "slide",
    "expire",
    "create",
    "finish",
    "500 without its changes",
];
const ANSWERS: &[&str] = &[
    "ok",
    "nothing to do",
    "ended",
    "superseded",
    "unavailable",
    "ambiguous",
    "asked again, then ok",
    "looked again",
    "dead token",
    "pending token",
    "token in its grace",
    "cookie",
    "removal",
    "no cookie for what is over",
];
const FAULTS: [&str; 4] = ["refused", "request lost", "request late", "answer lost"];
const RACES: &[&str] = &[
    "set a ‖ set b",
    "set a ‖ set a",
    "set a ‖ set a, the later one in time lost",
    "update ‖ update",
    "set k ‖ update k",
    "write ‖ logout, refused",
    "write ‖ deadline, refused",
    "write ‖ login, superseded",
    "login ‖ login, superseded",
    "login ‖ logout, refused",
    "write ‖ mint, kept",
    "mint ‖ mint, in vain",
    "logout ‖ logout",
    "idle timeout ‖ idle timeout",
];
/// Only where a client creates the session under the one key.
const HERE: &[(Group, &str)] = &[
    (Group::Race, "create ‖ create, exists"),
    (Group::Race, "create ‖ logout, refused"),
    (Group::Answer, "exists"),
    (Group::Answer, "stray: missing"),
    (Group::Answer, "stray: superseded"),
    (Group::Answer, "stray: ended"),
];

impl Tally {
    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        for (what, count) in &other.counts {
            *self.counts.entry(*what).or_default() += count;
        }
    }

    /// How many plans were carried out.
    #[must_use]
    pub fn seeds(&self) -> u64 {
        self.seeds
    }

    /// What never happened, and should have in a long run.
    #[must_use]
    pub fn missing(&self, abilities: Abilities) -> Vec<&'static str> {
        let of =
            |group: Group, names: &[&'static str]| names.iter().map(move |name| (group, *name)).collect();
        let mut expected: Vec<(Group, &'static str)> = of(Group::Operation, OPERATIONS);
        expected.extend::<Vec<_>>(of(Group::Answer, ANSWERS));
        expected.extend::<Vec<_>>(of(Group::Fault, &FAULTS));
        expected.extend::<Vec<_>>(of(Group::Race, RACES));
        if abilities.creates_here {
            expected.extend(HERE);
        }
        expected.into_iter().filter(|what| !self.counts.contains_key(what)).map(|(_, name)| name).collect()
    }

    fn count(&mut self, group: Group, name: &'static str) {
        self.add_to(group, name, 1);
    }

    fn add_to(&mut self, group: Group, name: &'static str, by: u64) {
        if by > 0 {
            *self.counts.entry((group, name)).or_default() += by;
        }
    }

    /// What happened in one run: what was called, and on the way that the model accepts.
    pub(super) fn of(history: &History, way: &[Taken]) -> Self {
        let mut tally = Self { seeds: 1, ..Self::default() };
        for entry in &history.entries {
            tally.entry(entry);
        }
        let mut deeds = Vec::new();
        let mut before = None;
        for taken in way {
            if let (Some(step), Some(before)) = (&taken.step, before) {
                tally.step(step, before, taken, &mut deeds);
            }
            before = Some(&taken.state);
        }
        tally.races(&deeds);
        tally
    }

    fn entry(&mut self, entry: &Entry) {
        let counts = entry.counts;
        for (name, count) in FAULTS.iter().zip(counts.faults) {
            self.add_to(Group::Fault, name, count);
        }
        self.add_to(Group::Answer, "looked again", counts.conflicts);
        match entry.what {
            What::Look { view } => {
                self.count(Group::Operation, "look");
                self.answer(view.map(drop), 0);
            }
            What::Pend { change: Change::Value(_, Some(_)) } => self.count(Group::Operation, "set"),
            What::Pend { change: Change::Value(_, None) } => self.count(Group::Operation, "remove"),
            What::Pend { change: Change::Idle(_) } => self.count(Group::Operation, "idle timeout"),
            What::Discard => self.count(Group::Operation, "500 without its changes"),
            What::Act { act, answer, .. } => {
                self.count(Group::Operation, called(&act));
                self.answer(answer.map(drop), counts.lost);
            }
            What::LogOut { answer } => {
                self.count(Group::Operation, "logout");
                self.answer(answer, counts.lost);
            }
            What::Stray { answer } => self.stray(answer),
            What::Finish { failed, saw, .. } => {
                self.count(Group::Operation, "finish");
                self.answer(failed.map_or(Ok(()), Err), counts.lost);
                match saw {
                    Saw::Token => self.count(Group::Answer, "cookie"),
                    Saw::Removal => self.count(Group::Answer, "removal"),
                    Saw::Nothing | Saw::Elsewhere => {}
                }
            }
            What::Begin { .. } | What::Clock { .. } => {}
        }
    }

    fn answer(&mut self, answer: Result<(), ErrorKind>, lost: u64) {
        self.count(
            Group::Answer,
            match answer {
                Ok(()) if lost > 0 => "asked again, then ok",
                Ok(()) => "ok",
                Err(ErrorKind::Ended | ErrorKind::Missing) => "ended",
                Err(ErrorKind::Superseded) => "superseded",
                Err(ErrorKind::Unavailable) => "unavailable",
                Err(ErrorKind::Ambiguous) => "ambiguous",
                Err(ErrorKind::Exists) => "exists",
                Err(_) => "another error",
            },
        );
    }

    fn stray(&mut self, answer: Result<(), ErrorKind>) {
        match answer {
            Err(ErrorKind::Missing) => self.count(Group::Answer, "stray: missing"),
            Err(ErrorKind::Superseded) => self.count(Group::Answer, "stray: superseded"),
            Err(ErrorKind::Ended) => self.count(Group::Answer, "stray: ended"),
            _ => {}
        }
    }

    fn step(&mut self, step: &Step, before: &State, taken: &Taken, deeds: &mut Vec<Deed>) {
        let turn = &before.turns[step.client];
        match step.kind {
            Kind::Open { .. } => match &taken.state.turns[step.client].identity {
                Identity::Live(_, Worth::Pending(_)) => self.count(Group::Answer, "pending token"),
                Identity::Live(_, Worth::Grace) => self.count(Group::Answer, "token in its grace"),
                Identity::Empty if turn.token != Token::None => self.count(Group::Answer, "dead token"),
                _ => {}
            },
            Kind::Clock { .. } if before.alive().is_some() && taken.state.life == Life::Expired => {
                self.count(Group::Operation, "expire");
                deeds.push(Deed {
                    what: Doing { expires: true, ..Doing::default() },
                    ..Deed::of(step, step.called)
                });
            }
            Kind::End => {
                let what = Doing { logs_out: true, ..Doing::default() };
                deeds.push(Deed { what, ..Deed::of(step, step.called) });
            }
            _ => {
                let work = match step.kind {
                    Kind::Act { act, .. } => Work::Called(act),
                    Kind::Effect { work, .. } => work,
                    Kind::Finish { .. } => Work::Finish,
                    _ => return,
                };
                if let Some(came) = &taken.came {
                    self.deed(step, before, work, came, deeds);
                }
            }
        }
    }

    fn deed(&mut self, step: &Step, before: &State, work: Work, came: &Came, deeds: &mut Vec<Deed>) {
        let turn = &before.turns[step.client];
        let act = match work {
            Work::Called(act) => act,
            Work::Finish => Act::default(),
        };
        let mut deed = Deed::of(step, turn.opened_at);
        deed.what = Doing::of(&turn.pending, &act);
        deed.what.creates = matches!(turn.identity, Identity::Empty);
        match came {
            Came::Nothing => return self.count(Group::Answer, "nothing to do"),
            Came::Over => {
                deed.came = Outcome::Over;
                self.count(Group::Answer, "no cookie for what is over");
            }
            Came::Superseded => deed.came = Outcome::Superseded,
            Came::Exists => deed.came = Outcome::Exists,
            Came::Elsewhere => return,
            Came::Done(done) => {
                if deed.what.creates {
                    self.count(Group::Operation, "create");
                }
                if act.opens.is_none() && !deed.what.creates {
                    deed.what.mints = done.minted;
                    if done.minted == Some(true) {
                        self.count(Group::Operation, "mint");
                    }
                }
                if let (Some(old), Identity::Live(_, worth)) = (before.alive(), &turn.identity) {
                    if matches!(worth, Worth::Pending(_)) {
                        self.count(Group::Operation, "confirm");
                    }
                    if old.deadline() < done.alive.deadline() {
                        self.count(Group::Operation, "slide");
                    }
                }
                let view = done.alive.view(&Pending::default());
                deed.overtaken = (0..KEYS.len())
                    .any(|key| turn.pending.values[key].is_some_and(|value| value != view.values[key]));
            }
        }
        deeds.push(deed);
    }

    fn races(&mut self, deeds: &[Deed]) {
        for (n, one) in deeds.iter().enumerate() {
            for other in &deeds[n + 1..] {
                if one.client != other.client && one.from < other.to && other.from < one.to {
                    one.with(other, &mut |name| self.count(Group::Race, name));
                    other.with(one, &mut |name| self.count(Group::Race, name));
                }
            }
        }
    }
}

fn called(act: &Act) -> &'static str {
    match (act.update, act.opens) {
        (Some(_), _) => "update",
        (_, Some((Who::User(_), _))) => "login",
        (_, Some((Who::Same, _))) => "renew",
        (_, Some((Who::Nobody, _))) => "leave",
        _ => "save",
    }
}

#[derive(Clone, Copy, Debug, Default)]
struct Doing {
    sets: [bool; KEYS.len()],
    updates: Option<usize>,
    idle: bool,
    opens: bool,
    creates: bool,
    logs_out: bool,
    expires: bool,
    mints: Option<bool>,
}

impl Doing {
    fn of(pending: &Pending, act: &Act) -> Self {
        Self {
            sets: pending.values.map(|value| value.is_some()),
            updates: act.update.map(|(key, _)| key),
            idle: pending.idle.is_some(),
            opens: act.opens.is_some(),
            ..Self::default()
        }
    }

    fn writes(&self) -> bool {
        self.sets.contains(&true) || self.updates.is_some()
    }

    fn both_set(&self, other: &Self) -> bool {
        self.sets.iter().zip(other.sets).any(|(one, other)| *one && other)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Done,
    Over,
    Superseded,
    Exists,
}

/// What a request did to the session, between its first look and the answer.
#[derive(Clone, Copy, Debug)]
struct Deed {
    client: usize,
    from: u32,
    to: u32,
    what: Doing,
    came: Outcome,
    /// A set counts as having come before another one that was there first.
    overtaken: bool,
}

impl Deed {
    fn of(step: &Step, from: u32) -> Self {
        Self {
            client: step.client,
            from: from.min(step.called),
            to: step.answered,
            what: Doing::default(),
            came: Outcome::Done,
            overtaken: false,
        }
    }

    /// The races in which this is the first of the two.
    fn with(&self, other: &Self, count: &mut impl FnMut(&'static str)) {
        let (one, two) = (&self.what, &other.what);
        let done = self.came == Outcome::Done;
        let both = done && other.came == Outcome::Done;
        let mut race = |happened: bool, name| {
            if happened {
                count(name);
            }
        };
        let differ = one.sets.contains(&true) && two.sets.contains(&true) && one.sets != two.sets;
        race(both && differ, "set a ‖ set b");
        race(both && one.both_set(two), "set a ‖ set a");
        race(both && one.both_set(two) && self.overtaken, "set a ‖ set a, the later one in time lost");
        race(both && one.updates.is_some() && one.updates == two.updates, "update ‖ update");
        race(both && two.updates.is_some_and(|key| one.sets[key]), "set k ‖ update k");
        race(both && one.idle && two.idle, "idle timeout ‖ idle timeout");
        let over = self.came == Outcome::Over;
        race(over && one.writes() && !one.creates && two.logs_out, "write ‖ logout, refused");
        race(over && one.opens && !one.creates && two.logs_out, "login ‖ logout, refused");
        race(over && one.creates && two.logs_out, "create ‖ logout, refused");
        race(over && one.writes() && two.expires, "write ‖ deadline, refused");
        let superseded = self.came == Outcome::Superseded && two.opens && other.came == Outcome::Done;
        race(superseded && one.writes() && !one.opens, "write ‖ login, superseded");
        race(superseded && one.opens, "login ‖ login, superseded");
        race(both && one.writes() && two.mints == Some(true), "write ‖ mint, kept");
        race(both && one.mints == Some(false) && two.mints == Some(true), "mint ‖ mint, in vain");
        race(one.logs_out && two.logs_out, "logout ‖ logout");
        race(
            self.came == Outcome::Exists && two.creates && other.came == Outcome::Done,
            "create ‖ create, exists",
        );
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} plans", self.seeds)?;
        let mut shown = None;
        for ((group, name), count) in &self.counts {
            if shown != Some(group) {
                let title = match group {
                    Group::Operation => "operations",
                    Group::Answer => "answers",
                    Group::Fault => "faults",
                    Group::Race => "races that really happened",
                };
                writeln!(f, "{title}")?;
                shown = Some(group);
            }
            writeln!(f, "  {count:>12}  {name}")?;
        }
        Ok(())
    }
}
