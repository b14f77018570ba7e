//! Logout while a slow request is on its way, which will try to write after the session's end.

use std::time::Duration;

use http::{Method, StatusCode};
use serde_json::json;
use tokio::time::sleep;

use super::Journey;
use crate::browser::Browser;

/// Enough for round robin to come to every server.
const LOOKS: usize = 4;

impl Journey {
    pub(super) async fn leave(&mut self) {
        if !self.view().await {
            return;
        }
        let copied = self.browser.copied();
        if !self.log_out().await {
            return;
        }
        let undone = self.browser.has_session() || self.is_known_to(&copied).await;
        // The killed server may have taken the session along just now: then there was nothing to end.
        if !self.is_excused() {
            self.tally.logouts += 1;
            self.tally.logouts_undone += u64::from(undone);
        }
    }

    /// Whether the logout was acknowledged. It is sent in the middle of the slow request, and answered before its end.
    async fn log_out(&mut self) -> bool {
        let draft = json!({ "draft": "begun before the logout" });
        let head_start = Duration::from_millis(self.dice.u64(10..30));
        let (slow, logout) =
            tokio::join!(self.browser.send(Method::POST, "/slow?ms=50", Some(&draft)), async {
                sleep(head_start).await;
                self.browser.send(Method::POST, "/logout", None).await
            },);
        self.note_slow(&slow);
        self.note(&logout);
        logout.status == Some(StatusCode::NO_CONTENT)
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
