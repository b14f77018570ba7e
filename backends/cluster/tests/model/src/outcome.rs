//! What came of checking a configuration.

use std::fmt;

use stateright::{Checker, HasDiscoveries, Model};

use crate::config::{Config, Kind};
use crate::model::{DONE, FORGOTTEN, KNOWN, Step, TOLD};

/// What came of it.
#[derive(Debug)]
pub struct Outcome {
    /// How many states there are, or were looked at until a rule was found broken.
    pub states: usize,
    /// Which rule is broken, and the steps to it.
    pub broken: Option<(&'static str, Vec<Step>)>,
    /// What ought to be possible, and never happened: then the check was not worth much.
    pub unreached: Vec<&'static str>,
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.broken {
            None => write!(f, "{} states, nothing is broken", self.states),
            Some((rule, steps)) => {
                writeln!(f, "{} states, not true: {rule}", self.states)?;
                steps.iter().enumerate().try_for_each(|(n, step)| writeln!(f, "  {:>2}. {step:?}", n + 1))
            }
        }
    }
}

/// Looks at every order of steps, the shortest first, until a rule is broken.
#[must_use]
pub fn check(config: &Config) -> Outcome {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut rules = vec![KNOWN, TOLD];
    rules.sort_unstable();
    let checker = config
        .clone()
        .checker()
        .threads(threads)
        .finish_when(HasDiscoveries::AnyOf(rules.iter().copied().collect()))
        .spawn_bfs()
        .join();
    let found = checker.discoveries();
    let broken = rules.into_iter().find_map(|rule| {
        let path = found.get(rule)?;
        Some((rule, path.clone().into_actions()))
    });
    let mut unreached = Vec::new();
    let ends = config.operations.contains(&Kind::End);
    for (goal, wanted) in [(DONE, true), (FORGOTTEN, ends)] {
        if wanted && broken.is_none() && !found.contains_key(goal) {
            unreached.push(goal);
        }
    }
    Outcome { states: checker.unique_state_count(), broken, unreached }
}
