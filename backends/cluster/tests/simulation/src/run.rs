//! Carries out a scenario, and judges it.

use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use abide_conformance::Spawner;
use abide_conformance::interleavings::{History, Plan, Rng, START, check_history, concurrently, store_setup};
use abide_core::{ManualClock, SessionStore};

use crate::checks;
use crate::coverage::Coverage;
use crate::scenario::{BEGIN, Scenario, plan};
use crate::store::SimulatedStore;
use crate::world::World;

/// What came of a scenario.
#[derive(Debug)]
pub struct Outcome {
    /// What happened in it.
    pub coverage: Coverage,
    /// What must not have.
    pub failure: Option<Failure>,
}

/// What must not happen.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Which check found it.
    pub check: &'static str,
    /// What it found.
    pub what: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, SeqCst);
    }
}

/// The clients of one session.
struct Clients {
    begins: Duration,
    work: Pin<Box<dyn Future<Output = History> + Send>>,
    flag: Arc<Flag>,
    history: Option<History>,
}

/// The plans are spread over the time in which faults strike, so that none strikes while nobody is there.
fn begins(scenario: &Scenario, plan: &Plan) -> Duration {
    let span = (scenario.heals.saturating_sub(BEGIN)).as_millis() as u64;
    BEGIN + Duration::from_millis(plan.seed % (span * 3 / 4).max(1))
}

impl Clients {
    fn of(plan: Plan, begins: Duration, world: &World) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store: Arc<dyn SessionStore> = Arc::new(SimulatedStore { hub: world.hub.clone() });
        let work = async move {
            let setup = store_setup(&plan, &clock, |_| store.clone()).answers_later();
            let spawner: Spawner = Arc::new(|task| task);
            concurrently(&plan, setup, &spawner).await
        };
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        Self { begins, work: Box::pin(work), flag, history: None }
    }

    fn go_on(&mut self, now: Duration) {
        while now >= self.begins && self.history.is_none() && self.flag.0.swap(false, SeqCst) {
            let waker = Waker::from(self.flag.clone());
            if let Poll::Ready(history) = self.work.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.history = Some(history);
            }
        }
    }
}

/// Carries out a scenario. Where `trace` says so, it tells each event.
#[must_use]
pub fn run(scenario: &Scenario, trace: bool) -> Outcome {
    let mut world = World::new(scenario);
    world.trace = trace;
    let came = catch_unwind(AssertUnwindSafe(|| carry_out(scenario, &mut world)));
    let failure = came.unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<String>().cloned();
        let what = what.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Some(Failure { check: "nothing panics", what: what.unwrap_or_default() })
    });
    world.end();
    Outcome { coverage: world.coverage, failure }
}

/// Goes on until all clients have done what they were to do.
fn serve(clients: &mut [Clients], scenario: &Scenario, world: &mut World) -> Option<Failure> {
    let last = world.now.max(scenario.heals) + Duration::from_secs(60);
    while clients.iter().any(|clients| clients.history.is_none()) {
        clients.iter_mut().for_each(|clients| clients.go_on(world.now));
        if !world.step(last) && clients.iter().any(|clients| clients.history.is_none()) {
            return Some(Failure { check: "every operation is answered", what: "a client waits".to_owned() });
        }
        if let Some(what) = world.violations.pop() {
            return Some(Failure { check: "one view per number, one cluster per name", what });
        }
    }
    None
}

fn carry_out(scenario: &Scenario, world: &mut World) -> Option<Failure> {
    while world.step(BEGIN) {}
    let plans = scenario.plans.iter().cloned();
    let mut clients: Vec<Clients> =
        plans.map(|plan| Clients::of(plan.clone(), begins(scenario, &plan), world)).collect();
    let mut rng = Rng::new(scenario.seed);
    loop {
        if let Some(failure) = serve(&mut clients, scenario, world) {
            return Some(failure);
        }
        if world.hub.operations() >= scenario.operations {
            break;
        }
        clients.push(Clients::of(plan(rng.next_u64()), world.now, world));
    }
    if world.is_beyond {
        world.coverage.fault("a second cluster where the first was not heard");
        return None;
    }
    for clients in &clients {
        let Some(history) = &clients.history else { continue };
        match check_history(history) {
            Ok(tally) => world.coverage.races.add(&tally),
            Err(what) => return Some(Failure { check: "every history is that of one session", what }),
        }
    }
    checks::comes_to_rest(scenario, world)
}
