//! The sessions of a test, their clock, and what happened to them.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use abide_core::{Clock as _, ManualClock, SeededEntropy, Timestamp};
use abide_memory::MemoryStore;

use super::Client;
use crate::config::Config;
use crate::event::Event;
use crate::sessions::{Sessions, SessionsBuilder};

/// The moment at which every stage begins: 2023-11-14, 22:13:20 UTC.
const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
/// Every stage draws the same random bytes, so that a test sees the same tokens each time.
const SEED: u64 = 1;

/// Sessions in memory, on a clock that stands still until it is moved. See the [module](super) for examples.
///
/// The clock is that of the sessions alone: timers of tokio, such as that of a logout that is tried again, follow
/// tokio's own.
pub struct Stage {
    sessions: Sessions,
    clock: Arc<ManualClock>,
    events: Arc<Mutex<Vec<Event>>>,
}

impl Default for Stage {
    fn default() -> Self {
        Self::new()
    }
}

impl Stage {
    /// Sessions with the default settings.
    #[must_use]
    pub fn new() -> Self {
        Self::with(Config::new())
    }

    /// Sessions with these settings; `store` is not looked at.
    ///
    /// # Panics
    ///
    /// Where a setting is wrong.
    #[must_use]
    pub fn with(config: Config) -> Self {
        Self::built(config, |builder, _| builder)
    }

    /// Sessions with parts of your own: other answers to errors, or another store, which should go by the clock.
    ///
    /// # Panics
    ///
    /// Where a setting is wrong.
    ///
    /// ```
    /// use abide::testing::Stage;
    /// use abide::{Config, layer};
    ///
    /// let stage = Stage::built(Config::new(), |builder, _clock| builder.answer_with(layer::answer));
    /// # let _ = stage;
    /// ```
    #[must_use]
    pub fn built(
        config: Config,
        build: impl FnOnce(SessionsBuilder, &Arc<ManualClock>) -> SessionsBuilder,
    ) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let events = Arc::<Mutex<Vec<Event>>>::default();
        let told = events.clone();
        let builder = config
            .builder()
            .store(Arc::new(MemoryStore::builder().clock(clock.clone()).build()))
            .clock(clock.clone())
            .entropy(Arc::new(SeededEntropy::new(SEED)))
            .on_event(move |event| told.lock().unwrap_or_else(PoisonError::into_inner).push(*event));
        let sessions =
            build(builder, &clock).open_given().unwrap_or_else(|error| panic!("a setting is wrong: {error}"));
        Self { sessions, clock, events }
    }

    /// The sessions: what the application under test is built with.
    #[must_use]
    pub fn sessions(&self) -> &Sessions {
        &self.sessions
    }

    /// The time as the sessions see it.
    #[must_use]
    pub fn now(&self) -> SystemTime {
        self.clock.now().into()
    }

    /// Moves the clock forward. A session whose deadline passes is over.
    pub fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    /// A client without a cookie.
    #[must_use]
    pub fn client(&self) -> Client {
        Client::new(&self.sessions)
    }

    /// A client whose session is stored, with `user` signed in.
    pub async fn signed_in(&self, user: &str) -> Client {
        let mut client = self.client();
        let login = client.with_session(async |session| session.log_in(user).await).await;
        login.unwrap_or_else(|error| panic!("{user:?} was not signed in: {error}"));
        client
    }

    /// What happened since the last time, in order.
    #[must_use = "the events are taken: the next call does not tell them again"]
    pub fn take_events(&self) -> Vec<Event> {
        std::mem::take(&mut *self.events.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("now", &self.clock.now()).finish_non_exhaustive()
    }
}
