//! The driver of stores: every client is a [`StoreClient`] on a store of its own making.

use std::sync::Arc;

use abide_core::{Clock, ManualClock, SessionKey, SessionStore};

use super::check::Driver;
use super::network::{Network, Post};
use super::plan::{Abilities, Plan};
use super::rng::Rng;
use super::run::{History, Setup, interleaved};
use super::schedule::at_once;
use super::store_client::StoreClient;

/// The handles of a fresh, empty store on a clock.
pub type Fresh = dyn Fn(Arc<ManualClock>) -> Vec<Arc<dyn SessionStore>> + Send + Sync;

/// Carries out plans against a store, as abide's layer would, on this thread and without a runtime: for a store whose
/// futures wait for nothing outside.
pub struct Stores {
    fresh: Box<Fresh>,
}

impl Stores {
    /// Plans against fresh stores.
    pub fn new(fresh: impl Fn(Arc<ManualClock>) -> Arc<dyn SessionStore> + Send + Sync + 'static) -> Self {
        Self::with_handles(move |clock| vec![fresh(clock)])
    }

    /// Plans against fresh stores of several handles, as processes have that share one; the clients are dealt round.
    pub fn with_handles(
        fresh: impl Fn(Arc<ManualClock>) -> Vec<Arc<dyn SessionStore>> + Send + Sync + 'static,
    ) -> Self {
        Self { fresh: Box::new(fresh) }
    }

    /// Plans against a store that carries a plan's name, so as to be run in some other way.
    pub fn setup(&self, plan: &Plan) -> Setup {
        let clock = Arc::new(ManualClock::at(super::START));
        let stores = (self.fresh)(clock.clone());
        store_setup(plan, &clock, |n| stores[n % stores.len()].clone())
    }
}

impl std::fmt::Debug for Stores {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Stores").finish_non_exhaustive()
    }
}

/// Clients for a plan, the `n`th on the store `handle(n)`: another handle on the same sessions, on a store over a network.
/// The key of the session follows from the plan.
pub fn store_setup(
    plan: &Plan,
    clock: &Arc<ManualClock>,
    handle: impl Fn(usize) -> Arc<dyn SessionStore>,
) -> Setup {
    let (mut rng, post) = (Rng::new(plan.seed ^ 0xC11E), Post::default());
    let key = SessionKey::from_bytes(rng.bytes());
    let clients = plan.clients.iter().enumerate().map(|(n, _)| {
        let draws = Rng::new(rng.next_u64());
        let network = Network::new(handle(n), draws, plan.faults, plan.peeks, post.clone());
        let writer = rng.next_u64();
        let clock: Arc<dyn Clock> = clock.clone();
        let client: Arc<dyn super::Client> =
            Arc::new(StoreClient::new(network, clock, writer, key, plan.keeps_on_error));
        client
    });
    let clients = clients.collect();
    Setup::new(clients, clock.clone(), post, Abilities::default().creates_here()).key(key)
}

impl Driver for Stores {
    fn abilities(&self) -> Abilities {
        Abilities::default().creates_here()
    }

    fn carry_out(&self, plan: &Plan) -> History {
        at_once(interleaved(plan, self.setup(plan)))
    }
}
