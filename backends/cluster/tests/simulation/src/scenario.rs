//! What happens in a seed.

use std::time::Duration;

use abide_cluster::protocol::Variant;
use abide_conformance::interleavings::{Abilities, Plan, Rng};

use crate::fault::Fault;
use crate::lists::ListPlan;

/// What happens in a seed.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Decides all that the rest leaves open.
    pub seed: u64,
    /// How many processes there are in the beginning.
    pub processes: usize,
    /// How many of these the others look for.
    pub seeds: usize,
    /// How many slots there are.
    pub slots: u16,
    /// How many copies of a session.
    pub copies: u8,
    /// What clients do, a session each.
    pub plans: Vec<Plan>,
    /// What clients do to the lists of users.
    pub lists: Vec<ListPlan>,
    /// How many operations there have to be: where these plans make less, more follow.
    pub operations: u64,
    /// What goes wrong, and when.
    pub faults: Vec<(Duration, Fault)>,
    /// From when on nothing is wrong any more.
    pub heals: Duration,
    /// How long ends are remembered.
    pub tombstone: Duration,
    /// Whether the run goes on until nothing is left to do.
    pub drains: bool,
    /// Whether the wall clocks run.
    pub clock_runs: bool,
    /// The rule that is left out of the protocol.
    pub variant: Option<Variant>,
}

/// How many plans clients carry out at least, and how many operations that has to be: more plans follow until it is.
const PLANS: usize = 14;
const OPERATIONS: u64 = 200;
/// How many lists of users there are.
const LISTS: usize = 3;
/// How many faults strike at least.
const FAULTS: usize = 5;

/// When the clients begin.
pub(crate) const BEGIN: Duration = Duration::from_secs(8);

impl Scenario {
    /// The scenario of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed ^ 0x51_0C1A);
        let processes = rng.weighted(&[(6, 3), (2, 4), (3, 5), (1, 6), (1, 2)]);
        let heals = BEGIN + Duration::from_secs(8 + rng.next_u64() % 24);
        let span = (heals - BEGIN).as_millis() as u64;
        let mut faults: Vec<(Duration, Fault)> = Vec::new();
        let (mut sure, enough) = (0, FAULTS + rng.below(8));
        while sure < enough {
            let fault = Fault::any(&mut rng, processes);
            sure += usize::from(!fault.waits());
            faults.push((BEGIN + Duration::from_millis(rng.next_u64() % span), fault));
        }
        if rng.chance(25) {
            faults.extend(handover(&mut rng, processes, span));
        }
        faults.sort_by_key(|(at, _)| *at);
        let plans = (0..PLANS).map(|_| plan(rng.next_u64())).collect();
        Self {
            seed,
            processes,
            seeds: 2 + rng.below(processes.min(3) - 1),
            slots: rng.weighted(&[(2, 1), (3, 2), (1, 5)]),
            copies: rng.weighted(&[(8, 3), (2, 5)]),
            plans,
            lists: (0..LISTS).map(|_| ListPlan::of(rng.next_u64())).collect(),
            operations: OPERATIONS,
            faults,
            heals,
            tombstone: Duration::from_secs(90),
            drains: rng.chance(10),
            clock_runs: false,
            variant: None,
        }
    }
}

/// What the clients of one session do.
pub(crate) fn plan(seed: u64) -> Plan {
    let mut plan = Plan::of(seed, Abilities::default().creates_here());
    // Time stands still for the clients, and the faults are the simulation's.
    (plan.moves, plan.faults, plan.peeks) = (Vec::new(), 0, false);
    plan
}

/// Members come and go while a link is bad and messages are slow: what a change of owners has to be right about.
fn handover(rng: &mut Rng, processes: usize, span: u64) -> Vec<(Duration, Fault)> {
    let at = BEGIN + Duration::from_millis(rng.next_u64() % (span / 2).max(1));
    let later = |by: u64| at + Duration::from_millis(by);
    let (one, other) = (rng.below(processes), rng.below(processes));
    let long = Duration::from_secs(4);
    vec![
        (at, Fault::Reordering(Duration::from_millis(60 + rng.next_u64() % 500), long)),
        (later(rng.next_u64() % 600), Fault::CutOneWay(one, other, Duration::from_millis(1_500))),
        (later(rng.next_u64() % 800), Fault::Start(processes)),
        (later(300 + rng.next_u64() % 900), Fault::Leave(one, Some(Duration::from_secs(1)))),
        (later(1_500 + rng.next_u64() % 900), Fault::Start(processes + 1)),
    ]
}
