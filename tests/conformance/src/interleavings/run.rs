//! Carrying out a plan: in the order of a seed, or all clients at once.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Clock as _, ManualClock, SessionKey, Timestamp};

use super::client::{Boxed, Client};
use super::history::{Entry, What};
use super::network::{Counts, Post};
use super::plan::{Abilities, Call, Kept, Plan, Presents, Request};
use super::rng::Rng;
use super::schedule::{Pass, interleave};
use super::script::{Actor, World};
use crate::subject::Spawner;
use crate::together::{give_way, together};

/// From which number on requests are those that look at the end.
const LAST_LOOKS: u16 = 40;

/// What a plan is carried out with: fresh clients on a fresh session.
#[must_use]
pub struct Setup {
    clients: Vec<Arc<dyn Client>>,
    clock: Arc<ManualClock>,
    post: Post,
    key: Option<SessionKey>,
    abilities: Abilities,
    pass: Option<Pass>,
}

impl Setup {
    /// Clients whose servers and store judge time by `clock`, which shows [`START`](super::START), and whose networks
    /// share `post`.
    pub fn new(
        clients: Vec<Arc<dyn Client>>,
        clock: Arc<ManualClock>,
        post: Post,
        abilities: Abilities,
    ) -> Self {
        Self { clients, clock, post, key: None, abilities, pass: None }
    }

    /// The key of the session, where it is known before it is there.
    pub fn key(mut self, key: SessionKey) -> Self {
        self.key = Some(key);
        self
    }

    /// The store answers a commit with what is stored by then: see [`Abilities::answers_later`].
    pub fn answers_later(mut self) -> Self {
        self.abilities = self.abilities.answers_later();
        self
    }

    /// How time passes for clients that sleep.
    pub fn pass(mut self, pass: Pass) -> Self {
        self.pass = Some(pass);
        self
    }
}

impl fmt::Debug for Setup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Setup").field("clients", &self.clients.len()).finish_non_exhaustive()
    }
}

/// What the clients of one run called and were answered.
#[derive(Debug)]
pub struct History {
    pub(super) entries: Vec<Entry>,
    pub(super) clients: usize,
    pub(super) abilities: Abilities,
    /// Whether every client came to its end.
    pub(super) is_whole: bool,
}

/// Equal histories are equal to the letter.
impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.entries.iter().try_for_each(|entry| writeln!(f, "{entry}"))
    }
}

struct Run {
    setup: Setup,
    world: Arc<World>,
}

/// Carries out a plan, one turn of one client at a time, in the order of its seed. The same plan has the same history.
pub async fn interleaved(plan: &Plan, mut setup: Setup) -> History {
    let pass = setup.pass.take();
    let run = Run::begin(plan, setup).await;
    let is_whole = interleave(&mut Rng::new(plan.seed), run.work(plan), pass.as_ref()).await;
    let looks = run.last_looks();
    let is_whole = is_whole && interleave(&mut Rng::new(plan.seed), vec![looks], pass.as_ref()).await;
    run.history(is_whole)
}

/// Carries out a plan with each client on a task of its own, in whatever order the world has for them.
pub async fn concurrently(plan: &Plan, setup: Setup, spawner: &Spawner) -> History {
    let run = Run::begin(plan, setup).await;
    together(Some(spawner), run.work(plan)).await;
    run.last_looks().await;
    run.history(true)
}

impl Run {
    async fn begin(plan: &Plan, setup: Setup) -> Self {
        let world = Arc::new(World::new(setup.clock.clone(), setup.key, plan.keeps_on_error));
        let run = Self { setup, world };
        if plan.created {
            let calls = [Call::Set(0, 7), Call::Set(2, 1), Call::LogIn(0, Kept::All)];
            let calls = calls[..if plan.seed % 2 == 0 { 2 } else { 3 }].to_vec();
            let create = Request { presents: Presents::Own, calls, fails: false };
            run.actor(0).carry_out(&[create]).await;
        }
        run.setup.post.fails(true);
        run
    }

    fn actor(&self, number: usize) -> Actor {
        let client = self.setup.clients[number % self.setup.clients.len()].clone();
        Actor::new(number, client, self.world.clone())
    }

    fn work(&self, plan: &Plan) -> Vec<Boxed<()>> {
        let mut work: Vec<Boxed<()>> = Vec::new();
        for (number, requests) in plan.clients.iter().enumerate() {
            let mut actor = self.actor(number).numbered_from(1);
            let requests = requests.clone();
            work.push(Box::pin(async move { actor.carry_out(&requests).await }));
        }
        let clock = self.setup.clock.clone();
        work.push(Box::pin(move_clock(self.world.clone(), clock, plan.moves.clone(), Rng::new(plan.seed))));
        work
    }

    /// Presents every token that anybody got once more: what is there in the end must follow from what was done.
    fn last_looks(&self) -> Boxed<()> {
        self.setup.post.fails(false);
        let look = |n| Request { presents: Presents::Older(n), calls: vec![Call::Look], fails: false };
        let looks: Vec<_> = (0..self.world.tokens().min(20)).map(look).collect();
        let mut actor = self.actor(0).numbered_from(LAST_LOOKS);
        Box::pin(async move { actor.carry_out(&looks).await })
    }

    fn history(&self, is_whole: bool) -> History {
        History {
            entries: self.world.log.entries(),
            clients: self.setup.clients.len(),
            abilities: self.setup.abilities,
            is_whole,
        }
    }
}

async fn move_clock(world: Arc<World>, clock: Arc<ManualClock>, moves: Vec<Duration>, mut rng: Rng) {
    for by in moves {
        for _ in 0..rng.below(20) {
            give_way().await;
        }
        let called = world.log.tick();
        clock.advance(by);
        let now: Timestamp = clock.now();
        world.log.add(Entry {
            client: usize::MAX,
            request: 0,
            called,
            answered: world.log.tick(),
            since: now,
            what: What::Clock { now },
            counts: Counts::default(),
            opened: (false, false),
        });
    }
}
