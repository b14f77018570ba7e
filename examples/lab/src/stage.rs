//! How far a run is, and which server was killed: what journeys and fault share.

use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tokio::sync::watch;

/// For this long after the kill the balancer may still take a connection for a living one.
const AFTERMATH: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(crate) struct Stage {
    rounds: watch::Sender<usize>,
    killed: OnceLock<String>,
    gone: OnceLock<Instant>,
    in_process: bool,
}

impl Stage {
    pub(crate) fn new(in_process: bool) -> Self {
        Self { rounds: watch::Sender::new(0), killed: OnceLock::new(), gone: OnceLock::new(), in_process }
    }

    pub(crate) fn round_played(&self) {
        self.rounds.send_modify(|rounds| *rounds += 1);
    }

    /// Waits until this many rounds were played, by all users together.
    pub(crate) async fn reached(&self, rounds: usize) {
        // The sender lives in `self`, so the only error, a closed channel, cannot happen.
        let _ = self.rounds.subscribe().wait_for(|played| *played >= rounds).await;
    }

    /// To be called *before* the signal is sent, so that no victim of it looks like another loss.
    pub(crate) fn will_kill(&self, server: &str) {
        self.killed.get_or_init(|| server.to_owned());
    }

    /// To be called once the process has ended.
    pub(crate) fn has_gone(&self) {
        self.gone.get_or_init(Instant::now);
    }

    /// Whether a request that this server left unanswered was in flight when it was killed.
    pub(crate) fn cut_off(&self, server: &str, sent: Instant) -> bool {
        self.was_killed(server) && self.gone.get().is_none_or(|gone| sent < *gone + AFTERMATH)
    }

    fn was_killed(&self, server: &str) -> bool {
        self.killed.get().is_some_and(|killed| killed == server)
    }

    /// Whether a session that began on this server died with it.
    pub(crate) fn excuses(&self, home: &str) -> bool {
        self.in_process && self.was_killed(home)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_excused_only_in_process_and_only_on_the_killed_server() {
        let [in_process, shared] = [Stage::new(true), Stage::new(false)];
        assert!(!in_process.excuses("b"));
        in_process.will_kill("b");
        shared.will_kill("b");
        assert!(in_process.excuses("b") && !in_process.excuses("a"));
        assert!(shared.was_killed("b") && !shared.excuses("b"));
    }
    #[test]
    fn only_a_request_that_was_in_flight_is_cut_off() {
        let stage = Stage::new(true);
        let now = Instant::now();
        assert!(!stage.cut_off("b", now));
        stage.will_kill("b");
        assert!(stage.cut_off("b", now) && !stage.cut_off("a", now));
        stage.has_gone();
        assert!(stage.cut_off("b", now) && !stage.cut_off("b", now + Duration::from_secs(1)));
    }
}
