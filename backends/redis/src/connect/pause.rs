//! A server that says of itself that it serves nobody: it is asked in the background, and not by those who want something.
//!
//! The breaker of a [`node`](super::node) is for servers that do not answer. A master of a Cluster that lost its majority, or
//! whose Cluster lacks slots, answers each command with the same refusal, at the price of a trip. Whoever is refused first
//! begins a pause, and leaves the key; whoever watches over the connection asks for that key until the answer is another
//! one, and ends the pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout_at};

/// Whether a server serves.
#[derive(Debug)]
pub(super) struct Pause {
    state: watch::Sender<State>,
    /// Whether it refuses, for those who ask with each command. Written under the lock of the state.
    refuses: AtomicBool,
}

#[derive(Debug)]
enum State {
    Serves,
    Refuses {
        since: Instant,
        /// What it refused to whoever asked first.
        key: Arc<[u8]>,
    },
    /// The connection is given up: nobody asks any more, and nobody may wait.
    Left,
}

impl Pause {
    pub(super) fn none() -> Self {
        Self { state: watch::Sender::new(State::Serves), refuses: AtomicBool::new(false) }
    }

    /// Whether everybody is let through.
    pub(super) fn is_none(&self) -> bool {
        !self.refuses.load(Ordering::Relaxed)
    }

    /// The server refused.
    pub(super) fn begin(&self, key: &[u8]) {
        self.change(|state| match state {
            State::Serves => Some(State::Refuses { since: Instant::now(), key: key.into() }),
            State::Refuses { .. } | State::Left => None,
        });
    }

    /// The server serves.
    pub(super) fn end(&self) {
        self.change(|state| matches!(state, State::Refuses { .. }).then_some(State::Serves));
    }

    /// The connection is given up: whoever waits is to look for another.
    pub(super) fn leave(&self) {
        self.change(|_| Some(State::Left));
    }

    /// Waits for the end while the pause is young; answers whether it came.
    pub(super) async fn is_over(&self, deadline: Instant, patience: Duration) -> bool {
        let until = match &*self.state.borrow() {
            State::Refuses { since, .. } => deadline.min(*since + patience),
            State::Serves | State::Left => return true,
        };
        if until <= Instant::now() {
            return false;
        }
        let mut state = self.state.subscribe();
        let over = state.wait_for(|state| !matches!(state, State::Refuses { .. }));
        timeout_at(until, over).await.is_ok()
    }

    /// Resolves where the server refuses, with the key to ask for.
    pub(super) async fn begun(&self) -> Arc<[u8]> {
        let mut state = self.state.subscribe();
        loop {
            if let State::Refuses { key, .. } = &*state.borrow_and_update() {
                return key.clone();
            }
            // This value holds the sender.
            let _ = state.changed().await;
        }
    }

    fn change(&self, next: impl FnOnce(&State) -> Option<State>) {
        self.state.send_if_modified(|state| {
            let Some(next) = next(state) else { return false };
            *state = next;
            self.refuses.store(matches!(state, State::Refuses { .. }), Ordering::Relaxed);
            true
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(500);

    fn later() -> Instant {
        Instant::now() + Duration::from_secs(1)
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_come_early_wait_as_long_as_patience_says_and_later_ones_not_at_all() {
        let (pause, begin) = (Pause::none(), Instant::now());
        assert!(pause.is_none() && pause.is_over(later(), PATIENCE).await);
        pause.begin(b"a");
        assert!(!pause.is_none());
        // Who is refused as well does not begin another.
        tokio::time::advance(PATIENCE / 5).await;
        pause.begin(b"b");
        assert_eq!(*pause.begun().await, *b"a");
        assert!(!pause.is_over(later(), PATIENCE).await);
        assert_eq!(begin.elapsed(), PATIENCE);
        assert!(!pause.is_over(later(), PATIENCE).await);
        assert_eq!(begin.elapsed(), PATIENCE, "it is refused at once");
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_waits_past_a_deadline() {
        let (pause, begin) = (Pause::none(), Instant::now());
        pause.begin(b"a");
        assert!(!pause.is_over(begin + PATIENCE / 2, PATIENCE).await);
        assert_eq!(begin.elapsed(), PATIENCE / 2);
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_waits_goes_on_as_soon_as_the_server_serves_or_its_connection_is_given_up() {
        for end in [Pause::end, Pause::leave] {
            let (pause, begin) = (Pause::none(), Instant::now());
            pause.begin(b"a");
            let end = async {
                tokio::time::sleep(PATIENCE / 2).await;
                end(&pause);
            };
            let (over, ()) = tokio::join!(pause.is_over(later(), PATIENCE), end);
            assert!(over && pause.is_none());
            assert_eq!(begin.elapsed(), PATIENCE / 2);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_refusal_that_comes_late_over_a_connection_that_was_given_up_holds_nobody_up() {
        let pause = Pause::none();
        pause.leave();
        pause.begin(b"a");
        assert!(pause.is_none() && pause.is_over(later(), PATIENCE).await);
    }
}
