//! Who gets in, who waits, and who is refused.
//!
//! **Invariant.** Whoever is in holds a permit of a lane's `places`, whoever waits one of its `queue`; both are given
//! back by being dropped, wherever the holder was cut off.

use std::time::Duration;

use abide_core::{Error, ErrorKind};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// One place of this many is kept for ends.
const PLACES_PER_END: usize = 8;

/// Two lanes: one for everybody, and one for ends alone.
#[derive(Debug)]
pub(super) struct Lanes {
    everybody: Lane,
    ends: Lane,
}

impl Lanes {
    pub(super) fn new(places: usize, waiting: usize) -> Self {
        let places = places.clamp(2, Semaphore::MAX_PERMITS);
        let kept = (places / PLACES_PER_END).max(1);
        Self { everybody: Lane::new(places - kept, waiting), ends: Lane::new(kept, waiting) }
    }

    pub(super) fn queue(self, waiting: usize) -> Self {
        Self { everybody: self.everybody.queue(waiting), ends: self.ends.queue(waiting) }
    }

    pub(super) fn wait_at_most(self, longest: Duration) -> Self {
        Self { everybody: self.everybody.wait_at_most(longest), ends: self.ends.wait_at_most(longest) }
    }

    pub(super) async fn enter(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.everybody.enter().await
    }

    pub(super) async fn enter_to_end(&self) -> Result<SemaphorePermit<'_>, Error> {
        match self.everybody.enter_at_once() {
            Some(place) => Ok(place),
            None => self.ends.enter().await,
        }
    }
}

#[derive(Debug)]
struct Lane {
    /// Fair: a place that is given back goes to who waits longest, and to nobody who comes later.
    places: Semaphore,
    queue: Semaphore,
    waiting: usize,
    longest: Option<Duration>,
}

impl Lane {
    fn new(places: usize, waiting: usize) -> Self {
        Self { places: Semaphore::new(places), queue: Semaphore::new(0), waiting: 0, longest: None }
            .queue(waiting)
    }

    fn queue(self, waiting: usize) -> Self {
        let waiting = waiting.min(Semaphore::MAX_PERMITS);
        Self { queue: Semaphore::new(waiting), waiting, ..self }
    }

    fn wait_at_most(self, longest: Duration) -> Self {
        Self { longest: Some(longest), ..self }
    }

    fn enter_at_once(&self) -> Option<SemaphorePermit<'_>> {
        self.places.try_acquire().ok()
    }

    async fn enter(&self) -> Result<SemaphorePermit<'_>, Error> {
        if let Some(place) = self.enter_at_once() {
            return Ok(place);
        }
        let _waiting = self.queue.try_acquire().map_err(|_| self.is_full())?;
        match self.longest {
            Some(longest) => timeout(longest, self.turn()).await.map_err(|_| too_long(longest))?,
            None => self.turn().await,
        }
    }

    async fn turn(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.places.acquire().await.map_err(|closed| Error::from(ErrorKind::Unavailable).with_source(closed))
    }

    fn is_full(&self) -> Error {
        let waiting = self.waiting;
        Error::new(
            ErrorKind::Unavailable,
            format!("too many operations are under way, and {waiting} wait, which is the limit"),
        )
    }
}

fn too_long(longest: Duration) -> Error {
    let longest = humantime::format_duration(longest);
    Error::new(ErrorKind::Unavailable, format!("too many operations are under way: no turn within {longest}"))
}
