//! What every session of one [`Sessions`](crate::Sessions) shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use abide_core::{Clock, EndOutcome, EndReason, Entropy, SessionKey, SessionStore, Stamps, Timestamp};
use tokio_util::task::TaskTracker;

use crate::config::Config;
use crate::cookie::CookieTemplate;
use crate::event::{Event, EventKind, Listeners};
use crate::layer::AnswerWith;
use crate::registry::Operables;
use crate::route::RouteMarks;
use crate::turns::Turns;

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) config: Config,
    pub(crate) store: Arc<dyn SessionStore>,
    pub(crate) operables: Operables,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) entropy: Arc<dyn Entropy>,
    pub(crate) stamps: Stamps,
    pub(crate) cookie: CookieTemplate,
    pub(crate) route: Option<RouteMarks>,
    pub(crate) listeners: Listeners,
    pub(crate) answer: AnswerWith,
    /// Commits under way, and logouts that are tried again: what a shutdown waits for.
    pub(crate) tasks: TaskTracker,
    /// Whose turn it is among requests that change one session at the same time.
    pub(crate) turns: Turns,
    pub(crate) draining: AtomicBool,
    /// Whether the store committed without being waited for, the last time.
    pub(crate) commits_at_once: AtomicBool,
}

impl Shared {
    /// The time, to within some milliseconds: sessions are judged by the second.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.recent()
    }

    /// Whether this server wants no new clients.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::Acquire)
    }

    /// Notes whether a commit was done without waiting.
    pub(crate) fn note_commit(&self, at_once: bool) {
        // Hardly ever it is another than before: no core takes the line from another.
        if self.commits_at_once.load(Ordering::Relaxed) != at_once {
            self.commits_at_once.store(at_once, Ordering::Relaxed);
        }
    }

    pub(crate) fn tell(&self, kind: EventKind, key: Option<SessionKey>) {
        self.listeners.tell(&Event::new(kind, key));
    }

    /// That a session was ended, and how surely.
    pub(crate) fn tell_end(&self, reason: EndReason, key: SessionKey, outcome: EndOutcome) {
        self.tell(EventKind::Ended(reason), Some(key));
        if outcome.fell_short {
            self.tell(EventKind::EndFellShort, Some(key));
        }
    }
}
