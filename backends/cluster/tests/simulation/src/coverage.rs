//! What really happened: a check is worth as much as what it was put to.

use std::collections::BTreeMap;
use std::fmt;

use abide_conformance::interleavings::Tally;

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
    /// How operations ended.
    pub answers: BTreeMap<String, u64>,
    /// The races of the sessions.
    pub races: Tally,
}

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
        for (name, count) in &other.answers {
            *self.answers.entry(name.clone()).or_default() += count;
        }
        self.races.add(&other.races);
    }
}

impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{} seeds, {} operations, {} messages", self.seeds, self.operations, self.messages)?;
        for (title, counts) in [("faults", &self.faults), ("steps", &self.steps)] {
            writeln!(f, "{title}:")?;
            counts.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>9}  {name}"))?;
        }
        writeln!(f, "answers:")?;
        self.answers.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>9}  {name}"))?;
        write!(f, "races:\n{}", self.races)
    }
}
