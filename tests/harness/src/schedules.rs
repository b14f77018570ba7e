//! One scenario under thousands of schedules, chosen by shuttle.

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, Runner};

use crate::seed::{number, seed};

/// How many schedules each scheduler tries unless `ABIDE_SCHEDULES` says otherwise.
const SCHEDULES: u64 = 300;
/// How many preemptions a schedule of the second scheduler has: what most races need is two or three.
const PREEMPTIONS: usize = 3;

/// Runs a scenario under random schedules, and under as many with few preemptions at chosen places, which find what
/// random ones seldom meet. `ABIDE_SCHEDULES` says how many of each, `ABIDE_SEED` which.
///
/// A schedule in which the scenario panics or nobody can go on fails, and is printed so that `shuttle::replay` runs
/// it again.
///
/// # Panics
///
/// Where the scenario does.
pub fn explore(scenario: fn()) {
    let (seed, count) = (seed(), number("ABIDE_SCHEDULES").unwrap_or(SCHEDULES) as usize);
    run(RandomScheduler::new_from_seed(seed, count), scenario);
    run(PctScheduler::new_from_seed(seed, PREEMPTIONS, count), scenario);
}

fn run(scheduler: impl Scheduler + 'static, scenario: fn()) {
    let mut config = Config::new();
    // Tasks hold whole records, and code that is not optimised keeps them on the stack.
    config.stack_size = 256 * 1024;
    // Relaxed flags are run as sequentially consistent ones: who runs next is what is looked at here.
    config.silence_warnings = true;
    Runner::new(scheduler, config).run(scenario);
}
