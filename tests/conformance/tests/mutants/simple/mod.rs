//! The smallest store that conforms: one map behind one lock. And what its flaws make of it.
//!
//! | file | role |
//! |---|---|
//! | `mod` | what is held |
//! | `writing` | creations, commits, limits, ends |
//! | `reading` | sessions, and those of a user |
//! | `store` | the store's operations |

mod reading;
mod store;
mod writing;

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use abide_conformance::{Outage, Subject};
use abide_core::{
    Capabilities, Changes, Clock, CommitOptions, CommitRules, CreateOptions, Drained, EndOptions, EndOutcome,
    EndReason, EndUserOptions, Error, ErrorKind, LoadOptions, Loaded, ManualClock, Metric, NewRecord, Page,
    Peek, Readiness, Record, SessionKey, SessionStore, Stamps, Timestamp, UserPage, UserSession, Verifier,
    Version, async_trait,
};

use crate::flaw::{self, Flaw};
use crate::surgery;

/// How long an end is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many sessions there is room for.
pub(crate) const BOUND: usize = 200;
/// And how many bytes.
const BYTE_BOUND: usize = 4 << 20;

/// One handle on the sessions.
#[derive(Debug)]
struct Simple {
    shared: Arc<Shared>,
    /// Used by the flaw that caches.
    cache: Mutex<HashMap<SessionKey, Option<Loaded>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    clock: Arc<ManualClock>,
    stamps: Stamps,
    flaw: Option<Flaw>,
    cut: AtomicBool,
    busy: AtomicBool,
    drained: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    slots: BTreeMap<SessionKey, Slot>,
    barriers: HashMap<String, Timestamp>,
    everybodys: Timestamp,
    versions: u128,
    /// Every state of every session, for the flaws that write what they saw.
    history: HashMap<(SessionKey, Version), Arc<Record>>,
    ended: usize,
}

#[derive(Clone, Debug)]
struct Slot {
    loaded: Loaded,
    deadline: Timestamp,
    first_user: Option<Arc<str>>,
    /// Ended, and remembered until then.
    over_until: Option<Timestamp>,
}

impl Slot {
    fn is_live(&self, now: Timestamp) -> bool {
        self.over_until.is_none() && now < self.deadline
    }

    fn user(&self) -> Option<&Arc<str>> {
        self.loaded.record.era()?.user()
    }

    fn weight(&self) -> usize {
        if self.over_until.is_none() { self.loaded.record.weight() } else { 0 }
    }
}

/// A fresh subject with a flaw, or with none.
pub(crate) fn subject(flaw: Option<Flaw>) -> Subject {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let shared = shared(flaw, clock.clone());
    let handle = || Simple { shared: shared.clone(), cache: Mutex::default() };
    Subject::new(handle(), clock)
        .handle(handle())
        .bound(BOUND)
        .byte_bound(BYTE_BOUND)
        .outage(Arc::new(Cut(shared.clone())))
}

/// A fresh store with a flaw, or with none.
pub(crate) fn store(flaw: Option<Flaw>, clock: Arc<ManualClock>) -> Arc<dyn SessionStore> {
    Arc::new(Simple { shared: shared(flaw, clock), cache: Mutex::default() })
}

fn shared(flaw: Option<Flaw>, clock: Arc<ManualClock>) -> Arc<Shared> {
    Arc::new(Shared {
        state: Mutex::default(),
        clock,
        stamps: Stamps::new(77),
        flaw,
        cut: AtomicBool::new(false),
        busy: AtomicBool::new(false),
        drained: AtomicBool::new(false),
    })
}

#[derive(Debug)]
struct Cut(Arc<Shared>);

#[async_trait]
impl Outage for Cut {
    async fn begin(&self) {
        self.0.cut.store(true, SeqCst);
    }

    async fn end(&self) {
        self.0.cut.store(false, SeqCst);
    }
}

async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Simple {
    fn has(&self, flaw: Flaw) -> bool {
        self.shared.flaw == Some(flaw)
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.shared.state.lock().expect("no panic under the lock");
        let now = self.now();
        let forgets_the_expired = self.has(Flaw::CreateRevivesTheExpired);
        state.slots.retain(|_, slot| match slot.over_until {
            Some(until) => now < until,
            None => now < slot.deadline || !forgets_the_expired,
        });
        state
    }

    /// What stands in the way of every operation; and what a flaw leaves in the way.
    async fn enter(&self) -> Result<(), Error> {
        let shuts = self.has(Flaw::DrainClosesTheDoor) || self.has(Flaw::DrainFailsShut);
        let shut = shuts && self.shared.drained.load(SeqCst);
        if self.shared.cut.load(SeqCst) || shut {
            return Err(ErrorKind::Unavailable.into());
        }
        if self.has(Flaw::LeavesALock) {
            if self.shared.busy.swap(true, SeqCst) {
                return Err(ErrorKind::Unavailable.into());
            }
            give_way().await;
            self.shared.busy.store(false, SeqCst);
        }
        Ok(())
    }

    /// When a session in this state is over.
    fn deadline(&self, record: &Record, before: Option<Timestamp>) -> Timestamp {
        let Some(era) = record.era() else { return Timestamp::default() };
        let deadline = era.deadline();
        match (self.shared.flaw, before) {
            (Some(Flaw::OverATickLate), _) => deadline + Duration::from_millis(1),
            (Some(Flaw::OverOnlyOnceSwept), _) => Timestamp::MAX,
            (Some(Flaw::HardDeadlineForgotten), _) => era.last_seen() + era.idle_timeout(),
            (Some(Flaw::FirstDeadlineStays), Some(before)) => before,
            (Some(Flaw::LongestDeadlineStays), Some(before)) => before.max(deadline),
            _ => deadline,
        }
    }

    fn put(&self, state: &mut State, key: &SessionKey, record: Record) -> Loaded {
        state.versions += 1;
        let time = u128::from(self.now().as_millis());
        let version = Version(if self.has(Flaw::VersionIsTheTime) { time } else { state.versions });
        let before = state.slots.get(key).map(|slot| (slot.deadline, slot.first_user.clone()));
        let deadline = self.deadline(&record, before.as_ref().map(|(deadline, _)| *deadline));
        let user = record.era().and_then(|era| era.user().cloned());
        let loaded = Loaded::new(Arc::new(record), version);
        let first_user = before.map_or(user, |(_, user)| user);
        let slot = Slot { loaded: loaded.clone(), deadline, first_user, over_until: None };
        state.slots.insert(*key, slot);
        state.history.insert((*key, version), loaded.record.clone());
        loaded
    }

    fn barred(&self, state: &State, user: Option<&Arc<str>>, began: Timestamp) -> Result<(), Error> {
        let raised = user.and_then(|user| state.barriers.get(&**user)).copied().unwrap_or_default();
        if began < raised.max(state.everybodys) {
            return Err(ErrorKind::Superseded.into());
        }
        Ok(())
    }
}
