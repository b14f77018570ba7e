//! Logout while a slow request is on its way, which will try to write after the session's end.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use super::Journey;
use crate::browser::{Browser, Reply};

/// Enough for round robin to come to every server.
const LOOKS: usize = 4;

/// How long the slow request goes on after the logout was sent, at least.
const LAG: Duration = Duration::from_millis(50);

/// A logout and the slow request that was under way.
struct Race {
    slow: Reply,
    /// How long the slow request waits between its read and its write.
    pace: Duration,
    logout: Reply,
}

impl Journey {
    pub(super) async fn leave(&mut self) {
        if !self.view().await {
            return;
        }
        let copied = self.browser.copied();
        let race = self.log_out().await;
        if race.logout.status != Some(StatusCode::NO_CONTENT) {
            return;
        }
        let came_back = race.is_certain() && self.browser.has_session();
        let undone = came_back | self.is_known_to(&copied).await;
        // The killed server may have taken the session along just now: then there was nothing to end.
        if !self.is_excused() {
            self.tally.logouts += 1;
            self.tally.logouts_raced += u64::from(race.is_certain());
            self.tally.logouts_undone += u64::from(undone);
        }
    }

    /// The logout is sent in the middle of the slow request. How long that takes to arrive depends on the machine, so the
    /// request before it is the measure.
    async fn log_out(&mut self) -> Race {
        let draft = json!({ "draft": "begun before the logout" });
        let head_start = 3 * self.tally.latencies.last().copied().unwrap_or_default() + self.between(5..25);
        let pace = head_start + LAG;
        let path = format!("/slow?ms={}", pace.as_millis());
        let (slow, logout) = tokio::join!(self.browser.send(Method::POST, &path, Some(&draft)), async {
            sleep(head_start).await;
            self.browser.send(Method::POST, "/logout", None).await
        });
        self.note_slow(&slow);
        self.note(&logout);
        Race { slow, pace, logout }
    }

    /// Whether any server still knows the session, asked by the browser itself and with the cookies of before the logout.
    async fn is_known_to(&mut self, copied: &Browser) -> bool {
        let mut known = self.ask_again(Method::GET, "/me", None).await.is_success();
        for _ in 0..LOOKS {
            let reply = copied.send(Method::GET, "/me", None).await;
            self.note(&reply);
            known |= reply.is_success();
        }
        known
    }
}

impl Race {
    /// Whether the slow request had surely read the session before the logout was sent. One that came later found nothing,
    /// and began a session of its own, whose cookie undoes no logout.
    fn is_certain(&self) -> bool {
        let read = self.slow.sent + self.slow.took.saturating_sub(self.pace);
        self.slow.is_success() && read < self.logout.sent
    }
}
