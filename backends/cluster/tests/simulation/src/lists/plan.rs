//! What the clients of one list do.

use std::num::NonZeroUsize;

use abide_conformance::interleavings::Rng;

/// How many sessions the user has.
const SESSIONS: usize = 4;

/// What one client does at a time.
#[derive(Clone, Copy, Debug)]
pub enum Act {
    /// Logs in: enters, and then settles or, seldom, withdraws.
    LogIn {
        /// Which session.
        session: usize,
        /// How many sessions the user may have.
        limit: Option<NonZeroUsize>,
        /// It does not come about.
        fails: bool,
    },
    /// Enters and settles its last login once more, as a store does that is asked again.
    Again {
        /// How many sessions the user may have.
        limit: Option<NonZeroUsize>,
    },
    /// Moves the deadline of its last login.
    Slide,
    /// Drops its last login.
    Leave,
    /// Raises the barrier, and drops whom it found.
    EndAll,
    /// Looks.
    Read,
}

/// What the clients of one list do.
#[derive(Clone, Debug)]
pub struct ListPlan {
    /// Names the user, the sessions, and when it all begins.
    pub seed: u64,
    /// A client each.
    pub clients: Vec<Vec<Act>>,
}

impl ListPlan {
    /// The plan of a seed.
    #[must_use]
    pub fn of(seed: u64) -> Self {
        let mut rng = Rng::new(seed);
        let limit = NonZeroUsize::new(rng.below(4));
        let act = |rng: &mut Rng| match rng.below(17) {
            0..=5 => Act::LogIn { session: rng.below(SESSIONS), limit, fails: rng.chance(12) },
            6 | 7 => Act::Slide,
            8 => Act::Leave,
            9 | 10 => Act::EndAll,
            11 | 12 => Act::Again { limit },
            _ => Act::Read,
        };
        let clients = 2 + rng.below(3);
        let clients = (0..clients).map(|_| (0..2 + rng.below(4)).map(|_| act(&mut rng)).collect());
        Self { seed, clients: clients.collect() }
    }

    /// Plans that do a little less.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut all = Vec::new();
        for (client, acts) in self.clients.iter().enumerate() {
            for at in 0..acts.len() {
                let mut less = self.clone();
                less.clients[client].remove(at);
                all.push(less);
            }
        }
        all
    }
}
