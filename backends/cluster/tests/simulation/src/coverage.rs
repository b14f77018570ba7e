//! What really happened: a check is worth as much as what it was put to.

use std::collections::BTreeMap;
use std::fmt;

use abide_cluster::protocol::STEPS;
use abide_conformance::interleavings::{Abilities, Tally};

use crate::fault::FAULTS;
use crate::lists::HAPPENS;

/// Counts over many seeds.
#[derive(Debug, Default)]
pub struct Coverage {
    /// How many seeds.
    pub seeds: u64,
    /// How many operations of clients.
    pub operations: u64,
    /// How many messages.
    pub messages: u64,
    /// Each kind of fault that struck.
    pub faults: BTreeMap<&'static str, u64>,
    /// Each step of the protocol.
    pub steps: BTreeMap<&'static str, u64>,
    /// What happened to the lists of users.
    pub lists: BTreeMap<&'static str, u64>,
    /// How operations ended.
    pub answers: BTreeMap<String, u64>,
    /// The races of the sessions.
    pub races: Tally,
    /// Of the seed that did least: how many operations, and how many faults.
    pub fewest: Option<(u64, u64)>,
}

/// What clients do, and what comes of it, only where time passes for them, or where the network is theirs.
const ELSEWHERE: [&str; 13] = [
    "mint",
    "confirm",
    "expire",
    "pending token",
    "token in its grace",
    "refused",
    "request lost",
    "request late",
    "answer lost",
    "write ‖ deadline, refused",
    "write ‖ mint, kept",
    "mint ‖ mint, in vain",
    "asked again, then ok",
];

impl Coverage {
    pub(crate) fn fault(&mut self, name: &'static str) {
        *self.faults.entry(name).or_default() += 1;
    }

    /// Adds another count.
    pub fn add(&mut self, other: &Self) {
        self.seeds += other.seeds;
        self.operations += other.operations;
        self.messages += other.messages;
        for (name, count) in &other.faults {
            *self.faults.entry(name).or_default() += count;
        }
        for (name, count) in &other.steps {
            *self.steps.entry(name).or_default() += count;
        }
        for (name, count) in &other.lists {
            *self.lists.entry(name).or_default() += count;
        }
        for (name, count) in &other.answers {
            *self.answers.entry(name.clone()).or_default() += count;
        }
        self.races.add(&other.races);
        self.fewest = match (self.fewest, other.fewest) {
            (Some(one), Some(two)) => Some((one.0.min(two.0), one.1.min(two.1))),
            (one, two) => one.or(two),
        };
    }

    /// Faults that never struck, steps that were never reached, races that never happened: a long run must have none.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let faults = FAULTS.into_iter().filter(|name| !self.faults.contains_key(name));
        let steps = STEPS.iter().copied().filter(|name| !self.steps.contains_key(name));
        let lists = HAPPENS.into_iter().filter(|name| !self.lists.contains_key(name));
        let races = self.races.missing(Abilities::default().creates_here());
        let races = races.into_iter().filter(|name| !ELSEWHERE.contains(name));
        faults.chain(steps).chain(lists).chain(races).collect()
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} seeds, {} operations, {} messages", self.seeds, self.operations, self.messages)?;
        if let Some((operations, faults)) = self.fewest {
            writeln!(f, "each seed at least {operations} operations and {faults} faults")?;
        }
        for (title, counts) in [("faults", &self.faults), ("steps", &self.steps), ("lists", &self.lists)] {
            writeln!(f, "{title}:")?;
            counts.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>9}  {name}"))?;
        }
        writeln!(f, "answers:")?;
        self.answers.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>9}  {name}"))?;
        write!(f, "races:\n{}", self.races)
    }
}
