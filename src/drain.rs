//! How a server ends without losing anybody.
//!
//! A [`Drain`] puts the steps in order, with one deadline for all of them:
//!
//! 1. [`begin`](Drain::begin), when the process is told to end. What the store can hand over while requests are served
//!    goes first (`memory:?handover=…`), so that whoever the load balancer sends elsewhere is known there; then
//!    [readiness](crate::ready) turns off, and after a notice, in which the balancer sees it and old clients are still
//!    served, it is time to stop listening.
//! 2. The server finishes its requests and streams; [`out_of_time`](Drain::out_of_time) says when it must stop waiting.
//! 3. [`finish`](Drain::finish) waits for the commits under way, hands the rest over or writes the snapshot, and says in
//!    one line of the log how many sessions went and how many are left behind.
//!
//! ```no_run
//! # async fn example(sessions: abide::Sessions, app: axum::Router, listener: tokio::net::TcpListener, told_to_end: impl Future<Output = ()> + Send + 'static) -> Result<(), Box<dyn std::error::Error>> {
//! use std::time::Duration;
//!
//! let drain = sessions.drain(Duration::from_secs(20)).notice(Duration::from_secs(2));
//! let begins = drain.clone();
//! let server = axum::serve(listener, app).with_graceful_shutdown(async move {
//!     told_to_end.await;
//!     begins.begin().await;
//! });
//! tokio::select! {
//!     ended = server => ended?,
//!     () = drain.out_of_time() => {}
//! }
//! let drained = drain.finish().await?;
//! println!("{} sessions go on, {} end", drained.handed_over, drained.left_behind);
//! # Ok(()) }
//! ```

use std::sync::Arc;
use std::time::Duration;

use abide_core::Drained;
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};

use crate::error::Error;
use crate::sessions::Sessions;

/// How long readiness is off before the listener closes, unless the caller says otherwise.
const NOTICE: Duration = Duration::from_secs(1);

/// The end of a server, step by step. Made by [`Sessions::drain`]; see the [module](self).
///
/// A clone is the same drain. The deadline counts from the first [`begin`](Drain::begin).
#[derive(Clone, Debug)]
#[must_use]
pub struct Drain {
    sessions: Sessions,
    within: Duration,
    notice: Duration,
    /// When it began.
    begun: Arc<watch::Sender<Option<Instant>>>,
}

impl Drain {
    pub(crate) fn new(sessions: Sessions, within: Duration) -> Self {
        let begun = Arc::new(watch::Sender::new(None));
        Self { sessions, within, notice: NOTICE.min(within / 4), begun }
    }

    /// How long old clients are served once [`Sessions::ready`] is off: a little longer than the load balancer takes to
    /// notice. At most half of the whole time. Default one second, or a quarter of the whole time where that is less.
    pub fn notice(mut self, notice: Duration) -> Self {
        self.notice = notice.min(self.within / 2);
        self
    }

    /// Hands over what can be while requests are served, turns readiness off, and waits out the notice. When it answers,
    /// it is time to take no more connections.
    ///
    /// A hand-over that fails, or takes longer than a quarter of the whole time, is a line in the log, and is gone on with by
    /// [`finish`](Drain::finish).
    pub async fn begin(&self) {
        self.note_the_time();
        if let Err(error) = self.sessions.hand_over(self.within / 4).await {
            tracing::warn!(target: "abide", %error, "sessions could not be handed over while requests are served");
        }
        self.sessions.begin_shutdown();
        sleep(self.notice).await;
    }

    /// Resolves when the server must not wait for its requests any longer, so that a quarter of the whole time is left to
    /// hand over. Never before the drain [begins](Drain::begin).
    pub async fn out_of_time(&self) {
        let mut begun = self.begun.subscribe();
        let since = match begun.wait_for(Option::is_some).await {
            Ok(since) => *since,
            // This value holds a sender.
            Err(_) => None,
        };
        if let Some(since) = since {
            sleep_until(since + self.within - self.within / 4).await;
        }
    }

    /// Waits for the commits under way and hands over what only this process holds, in what is left of the time. Call it
    /// when the server has finished. See [`Sessions::shutdown`].
    ///
    /// # Errors
    ///
    /// What the store says where it could not hand over.
    pub async fn finish(&self) -> Result<Drained, Error> {
        let until = self.note_the_time() + self.within;
        self.sessions.shutdown(until.saturating_duration_since(Instant::now())).await
    }

    /// When it began: now, unless it did before.
    fn note_the_time(&self) -> Instant {
        let now = Instant::now();
        self.begun.send_if_modified(|begun| begun.replace(begun.unwrap_or(now)).is_none());
        self.begun.borrow().unwrap_or(now)
    }
}
