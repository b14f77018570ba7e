//! Login, views, and a counter that is read back.

use http::{Method, StatusCode};
use serde_json::{Value, json};

use super::Journey;
use crate::browser::Reply;

const VISITS: &str = "visits";

/// Whom a view shows.
enum Shown {
    Me,
    Nobody,
    Another,
    /// The view did not come.
    Unknown,
}

impl Journey {
    pub(super) async fn log_in(&mut self) {
        let who = json!({ "user": self.user });
        let reply = self.ask_again(Method::POST, "/login", Some(&who)).await;
        self.home = reply.server.clone().filter(|_| reply.is_success());
        if let Some(home) = &self.home {
            self.homes.push(home.clone());
            self.tally.sessions += 1;
        }
    }

    /// Whether the user is still signed in. One who is not logs in again.
    pub(super) async fn view(&mut self) -> bool {
        let reply = self.ask_again(Method::GET, "/me", None).await;
        match self.shown(&reply) {
            Shown::Me => self.found(),
            Shown::Unknown => return false,
            Shown::Nobody => self.lost().await,
            Shown::Another => {
                self.tally.strangers += 1;
                self.lost().await;
            }
        }
        matches!(self.shown(&reply), Shown::Me)
    }

    fn shown(&self, reply: &Reply) -> Shown {
        let user = reply.json().and_then(|me| Some(me.get("user")?.as_str()? == self.user));
        match (reply.status, user) {
            (Some(StatusCode::OK), Some(true)) => Shown::Me,
            (Some(StatusCode::OK), _) => Shown::Another,
            (Some(StatusCode::UNAUTHORIZED), _) => Shown::Nobody,
            _ => Shown::Unknown,
        }
    }

    fn found(&mut self) {
        self.tally.views_found += 1;
        self.tally.reads_stale += std::mem::take(&mut self.suspects);
    }

    async fn lost(&mut self) {
        let excused = self.is_excused();
        self.suspects = 0;
        // Without a login that was answered there was nothing to lose.
        if self.home.take().is_some() {
            self.tally.views_lost += 1;
            self.tally.sessions_lost += 1;
            self.tally.sessions_killed += u64::from(excused);
        }
        self.log_in().await;
        self.begin_again(excused).await;
    }

    pub(super) async fn count_visits(&mut self) {
        for _ in 0..self.dice.u8(1..=3) {
            let path = format!("/values/{VISITS}/increment");
            let reply = self.ask(Method::POST, &path, None).await;
            self.note_increment(VISITS, &reply);
        }
        let reply = self.ask_again(Method::GET, &format!("/values/{VISITS}"), None).await;
        if reply.is_expected() {
            let shown = reply.json().as_ref().and_then(Value::as_i64).unwrap_or_default();
            self.tally.reads += 1;
            self.suspects += u64::from(shown < self.ledger.least(VISITS));
        }
    }

    pub(super) fn note_increment(&mut self, counter: &'static str, reply: &Reply) {
        if reply.is_success() {
            self.tally.updates += 1;
            self.ledger.incremented(counter);
        } else {
            self.ledger.perhaps_incremented(counter);
        }
    }
}
