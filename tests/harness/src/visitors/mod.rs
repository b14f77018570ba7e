//! Visitors who sign in, read, write and log out at several servers until they are told to stop, and hold every answer
//! against what they were told before.
//!
//! What they rely on: a write that was answered is in every later read, and counts once; one that was not answered may
//! have happened, once; a session that nobody ended is there; one whose end was answered is over at every server.
//!
//! | file | role |
//! |---|---|
//! | `rotation` | whom requests go to, as a load balancer decides it |
//! | `person` | one session, and what its reads may show |
//! | `visit` | what a visitor does |
//! | `requests` | every request and what came of it |
//! | `findings` | what should not have been seen |
//! | `verify` | what is left of it in the end |

mod findings;
mod person;
mod requests;
mod rotation;
mod verify;
mod visit;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fastrand::Rng;
use tokio::task::JoinSet;

pub use findings::Findings;
pub use requests::{Request, Requests};
pub use rotation::Rotation;

use crate::browser::Browser;
use person::Person;
use visit::Visitor;

/// How many come, and how fast.
#[derive(Clone, Copy, Debug)]
pub struct Crowd {
    /// How many visit at the same time.
    pub visitors: usize,
    /// How long one waits between two requests.
    pub pause: Duration,
    /// How many sessions stay signed in at the most, and how many ended ones are looked for in the end.
    pub kept: usize,
}

impl Default for Crowd {
    fn default() -> Self {
        Self { visitors: 12, pause: Duration::from_millis(15), kept: 100 }
    }
}

/// Visitors at work. Dropping it sends them home.
#[derive(Debug)]
pub struct Visitors {
    tasks: JoinSet<()>,
    shared: Arc<Shared>,
}

/// What all visitors share.
#[derive(Debug)]
struct Shared {
    base: Browser,
    rotation: Rotation,
    crowd: Crowd,
    stop: AtomicBool,
    /// Sessions that nobody ends. Anybody visits them.
    kept: Mutex<Vec<Arc<Person>>>,
    /// Sessions whose end was answered.
    left: Mutex<Vec<Arc<Person>>>,
    requests: Mutex<Requests>,
    findings: Mutex<Findings>,
}

impl Visitors {
    /// Lets them in. The same seed makes the same choices.
    #[must_use]
    pub fn start(rotation: Rotation, crowd: Crowd, seed: u64) -> Self {
        let shared = Arc::new(Shared {
            // Which server that is does not matter: every request names its own.
            base: Browser::new(SocketAddr::from(([127, 0, 0, 1], 0))),
            rotation,
            crowd,
            stop: AtomicBool::new(false),
            kept: Mutex::default(),
            left: Mutex::default(),
            requests: Mutex::default(),
            findings: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        for number in 0..crowd.visitors {
            let rng = Rng::with_seed(seed.wrapping_add(number as u64));
            let mut visitor = Visitor::new(shared.clone(), number, rng);
            tasks.spawn(async move { visitor.come_and_go().await });
        }
        Self { tasks, shared }
    }

    /// Takes the requests that ended since the last time.
    #[must_use]
    pub fn requests(&self) -> Requests {
        std::mem::take(&mut *self.shared.requests.lock().unwrap())
    }

    /// What should not have been seen, so far.
    #[must_use]
    pub fn findings(&self) -> Findings {
        self.shared.findings.lock().unwrap().clone()
    }

    /// Sends them home, and looks at every session at each of these servers, which must be well. Answers the last
    /// requests, and what should not have been seen in all.
    ///
    /// # Panics
    ///
    /// Where a visitor did.
    pub async fn end(mut self, servers: &[SocketAddr]) -> (Requests, Findings) {
        self.shared.stop.store(true, Ordering::Relaxed);
        while let Some(visitor) = self.tasks.join_next().await {
            visitor.unwrap();
        }
        let requests = self.requests();
        verify::all(&self.shared, servers).await;
        (requests, self.findings())
    }
}
