//! From a seed to a verdict: carries out its plan, explains its history, and makes a plan smaller that fails.

use std::fmt;

use abide_core::Timestamp;

use super::accept::Rules;
use super::checker::explain;
use super::history::What;
use super::model::State;
use super::plan::{Abilities, Plan};
use super::rng::Rng;
use super::run::History;
use super::steps::steps_of;
use super::tally::Tally;

/// In how many orders a smaller plan is tried before it counts as one that does not fail.
const ORDERS: u64 = 60;
/// How many runs the search for a smaller plan may take.
const RUNS: u64 = 6_000;

/// Carries out plans.
pub trait Driver: Sync {
    /// What its clients can do.
    fn abilities(&self) -> Abilities;

    /// Carries out one plan with fresh clients on a fresh session.
    fn carry_out(&self, plan: &Plan) -> History;
}

/// A history that no order of its operations explains.
#[derive(Debug)]
pub struct Violation {
    /// The seed of the plan.
    pub seed: u64,
    /// The smallest plan found that fails.
    pub smallest: Plan,
    plan: Plan,
    first: Failed,
    last: Failed,
}

#[derive(Debug)]
struct Failed {
    history: String,
    stuck: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Failed { history, stuck } = &self.first;
        writeln!(f, "seed {}: no order of these operations is that of one session", self.seed)?;
        writeln!(f, "plan: {}\nhistory:\n{history}\n{stuck}", self.plan)?;
        let Failed { history, stuck } = &self.last;
        writeln!(f, "the smallest plan that still fails: {}", self.smallest)?;
        writeln!(f, "its history:\n{history}\n{stuck}")
    }
}

impl std::error::Error for Violation {}

/// Explains a history, and counts what happened in it.
fn explained(history: &History) -> Result<Tally, Failed> {
    let fail = |stuck: String| Failed { history: history.to_string(), stuck };
    if !history.is_whole {
        return Err(fail("a client waits for ever".to_owned()));
    }
    let mut readings = vec![super::START];
    readings.extend(history.entries.iter().filter_map(|entry| match entry.what {
        What::Clock { now } => Some(now),
        _ => None,
    }));
    readings.dedup();
    let steps = steps_of(&history.entries, history.clients, history.abilities);
    let rules = Rules { readings, creates_here: history.abilities.creates_here };
    let start = State::new(start(), history.clients + 1);
    match explain(&rules, &steps, start) {
        Ok(way) => Ok(Tally::of(history, &way)),
        Err(stuck) => Err(fail(stuck.to_string())),
    }
}

fn start() -> Timestamp {
    super::START
}

/// Checks the history of one plan.
///
/// # Errors
///
/// What cannot be explained.
pub fn check_history(history: &History) -> Result<Tally, String> {
    explained(history).map_err(|failed| format!("history:\n{}\n{}", failed.history, failed.stuck))
}

/// Checks one seed.
///
/// # Errors
///
/// The violation, with the smallest plan found that shows it.
pub fn check_seed(driver: &dyn Driver, seed: u64) -> Result<Tally, Box<Violation>> {
    let plan = Plan::of(seed, driver.abilities());
    explained(&driver.carry_out(&plan)).map_err(|first| {
        let (smallest, last) = smallest(driver, &plan);
        let last =
            last.unwrap_or_else(|| Failed { history: first.history.clone(), stuck: first.stuck.clone() });
        Box::new(Violation { seed, smallest, plan, first, last })
    })
}

/// Checks `count` seeds from `base` on.
///
/// # Errors
///
/// The first violation.
pub fn check_seeds(driver: &dyn Driver, base: u64, count: u64) -> Result<Tally, Box<Violation>> {
    let mut tally = Tally::default();
    for n in 0..count {
        tally.add(&check_seed(driver, base.wrapping_add(n))?);
    }
    Ok(tally)
}

fn smallest(driver: &dyn Driver, plan: &Plan) -> (Plan, Option<Failed>) {
    let (mut plan, mut failed, mut runs) = (plan.clone(), None, 0);
    while let Some((smaller, why)) = smaller(driver, &plan, &mut runs) {
        (plan, failed) = (smaller, Some(why));
    }
    (plan, failed)
}

/// A plan that does a little less and still fails, in some order.
fn smaller(driver: &dyn Driver, plan: &Plan, runs: &mut u64) -> Option<(Plan, Failed)> {
    for smaller in plan.smaller() {
        let mut orders = Rng::new(plan.seed);
        for order in 0..ORDERS {
            *runs += 1;
            if *runs > RUNS {
                return None;
            }
            let mut smaller = smaller.clone();
            // The low bit decides how the session begins.
            smaller.seed = if order == 0 { plan.seed } else { orders.next_u64() & !1 | plan.seed & 1 };
            if let Err(failed) = explained(&driver.carry_out(&smaller)) {
                return Some((smaller, failed));
            }
        }
    }
    None
}
