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
use abide_conformance::interleavings::{
    GIVEN_UP, History, Plan, Rng, START, check_history, concurrently, store_setup,
};
use abide_core::{ManualClock, SessionStore};

use crate::checks;
use crate::coverage::Coverage;
use crate::lists::{self, ListHistory, ListPlan};
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

/// The check of a history that is too long to tell whether it is that of one session.
const DECIDED: &str = "every history is decided";

impl Failure {
    fn of_history(what: String) -> Self {
        let is_decided = !what.contains(GIVEN_UP);
        Self { check: if is_decided { "every history is that of one session" } else { DECIDED }, what }
    }

    /// Whether nobody knows if it is one.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        self.check == DECIDED
    }
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

/// What came of all that the clients of one session, or of one list, did.
enum Came {
    Session(Box<History>),
    List(ListHistory),
}

/// The clients of one session, or of one list.
struct Clients {
    begins: Duration,
    work: Pin<Box<dyn Future<Output = Came> + Send>>,
    flag: Arc<Flag>,
    came: Option<Came>,
}

/// The plans are spread over the time in which faults strike, so that none strikes while nobody is there.
fn begins(scenario: &Scenario, seed: u64) -> Duration {
    let span = (scenario.heals.saturating_sub(BEGIN)).as_millis() as u64;
    BEGIN + Duration::from_millis(seed % (span * 3 / 4).max(1))
}

impl Clients {
    fn new(begins: Duration, work: impl Future<Output = Came> + Send + 'static) -> Self {
        let flag = Arc::new(Flag(AtomicBool::new(true)));
        Self { begins, work: Box::pin(work), flag, came: None }
    }

    fn of_list(plan: ListPlan, begins: Duration, world: &World) -> Self {
        let hub = world.hub.clone();
        Self::new(begins, async move { Came::List(lists::carry_out(plan, hub).await) })
    }

    fn of_session(plan: Plan, begins: Duration, world: &World) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store: Arc<dyn SessionStore> = Arc::new(SimulatedStore { hub: world.hub.clone() });
        let work = async move {
            let setup = store_setup(&plan, &clock, |_| store.clone()).answers_later();
            let spawner: Spawner = Arc::new(|task| task);
            Came::Session(Box::new(concurrently(&plan, setup, &spawner).await))
        };
        Self::new(begins, work)
    }

    fn go_on(&mut self, now: Duration) {
        while now >= self.begins && self.came.is_none() && self.flag.0.swap(false, SeqCst) {
            let waker = Waker::from(self.flag.clone());
            if let Poll::Ready(came) = self.work.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.came = Some(came);
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
    while clients.iter().any(|clients| clients.came.is_none()) {
        clients.iter_mut().for_each(|clients| clients.go_on(world.now));
        if !world.step(last) && clients.iter().any(|clients| clients.came.is_none()) {
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
        plans.map(|plan| Clients::of_session(plan.clone(), begins(scenario, plan.seed), world)).collect();
    let lists = scenario.lists.iter().cloned();
    clients.extend(lists.map(|plan| {
        let begins = begins(scenario, plan.seed);
        Clients::of_list(plan, begins, world)
    }));
    let mut rng = Rng::new(scenario.seed);
    loop {
        if let Some(failure) = serve(&mut clients, scenario, world) {
            return Some(failure);
        }
        if world.hub.operations() >= scenario.operations {
            break;
        }
        clients.push(Clients::of_session(plan(rng.next_u64()), world.now, world));
    }
    if world.is_beyond {
        world.coverage.fault("a second cluster where the first was not heard");
        return None;
    }
    for clients in &clients {
        match &clients.came {
            Some(Came::Session(history)) => match check_history(history) {
                Ok(tally) => world.coverage.races.add(&tally),
                Err(what) => return Some(Failure::of_history(what)),
            },
            Some(Came::List(history)) => match lists::check(history) {
                Ok(happened) => {
                    for name in happened {
                        *world.coverage.lists.entry(name).or_default() += 1;
                    }
                }
                Err(what) => return Some(Failure { check: "every list is that of one user", what }),
            },
            None => {}
        }
    }
    checks::comes_to_rest(scenario, world)
}
