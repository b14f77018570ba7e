//! Makes a failing scenario smaller.

use crate::run::run;
use crate::scenario::Scenario;

/// How many runs the search may take.
const RUNS: usize = 400;

/// The smallest scenario found that still fails in the same check.
#[must_use]
pub fn shrink(scenario: &Scenario) -> Scenario {
    let Some(check) = run(scenario, false).failure.map(|failure| failure.check) else {
        return scenario.clone();
    };
    let mut smallest = Scenario { operations: 0, ..scenario.clone() };
    if run(&smallest, false).failure.is_none_or(|failure| failure.check != check) {
        smallest = scenario.clone();
    }
    let mut runs = 0;
    'again: loop {
        for smaller in smaller(&smallest) {
            runs += 1;
            if runs > RUNS {
                return smallest;
            }
            if run(&smaller, false).failure.is_some_and(|failure| failure.check == check) {
                smallest = smaller;
                continue 'again;
            }
        }
        return smallest;
    }
}

/// Scenarios that do a little less, the boldest first.
fn smaller(scenario: &Scenario) -> Vec<Scenario> {
    let mut all = Vec::new();
    let mut add = |change: &dyn Fn(&mut Scenario)| {
        let mut less = scenario.clone();
        change(&mut less);
        all.push(less);
    };
    let half = scenario.plans.len() / 2;
    if half > 0 {
        add(&|less| drop(less.plans.drain(..half)));
        add(&|less| less.plans.truncate(half));
    }
    for at in 0..scenario.lists.len() {
        add(&|less| {
            less.lists.remove(at);
        });
    }
    for at in 0..scenario.faults.len() {
        add(&|less| {
            less.faults.remove(at);
        });
    }
    if scenario.plans.len() > 1 {
        for at in 0..scenario.plans.len() {
            add(&|less| drop(less.plans.remove(at)));
        }
    }
    for (at, plan) in scenario.plans.iter().enumerate().filter(|_| scenario.plans.len() <= 2) {
        for smaller in plan.smaller() {
            add(&|less| less.plans[at] = smaller.clone());
        }
    }
    for (at, plan) in scenario.lists.iter().enumerate().filter(|_| scenario.lists.len() <= 1) {
        for smaller in plan.smaller() {
            add(&|less| less.lists[at] = smaller.clone());
        }
    }
    all
}
