//! What a user does: log in, look around, fill a cart from two tabs, and perhaps log out while something slow is going on.
//!
//! | file | role |
//! |---|---|
//! | `mod` | the order of things, and what is noted of every request |
//! | `pages` | login, views, a counter |
//! | `cart` | two tabs at once |
//! | `look` | whether all is there that was acknowledged |
//! | `leave` | logout |
//! | `ledger` | what the user was told, without any I/O |

mod cart;
mod leave;
mod ledger;
mod look;
mod pages;

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use fastrand::Rng;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::sleep;

use crate::browser::{Browser, Reply};
use crate::stage::Stage;
use crate::tally::Tally;
use ledger::Ledger;

/// A user reloads a page that did not come.
const ATTEMPTS: usize = 3;
/// One who is told that the shop is closed for the moment waits before the next click.
const AFTER_REFUSAL: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(crate) struct Journey {
    user: String,
    browser: Browser,
    stage: Arc<Stage>,
    dice: Rng,
    ledger: Ledger,
    /// The server that answered the login, while the user is signed in.
    home: Option<String>,
    /// Those of all logins.
    homes: Vec<String>,
    /// Reads that did not show what was acknowledged. A lost session explains them, which the next view tells.
    suspects: u64,
    tally: Tally,
}

impl Journey {
    pub(crate) fn new(user: String, browser: Browser, stage: Arc<Stage>, dice: Rng) -> Self {
        let (ledger, tally) = Default::default();
        Self { user, browser, stage, dice, ledger, home: None, homes: Vec::new(), suspects: 0, tally }
    }

    pub(crate) async fn play(mut self, rounds: usize, leaves: bool) -> Tally {
        self.pause(0..200).await;
        self.log_in().await;
        for round in 0..rounds {
            self.count_visits().await;
            self.fill_cart(round).await;
            self.view().await;
            self.stage.round_played();
            self.pause(1..20).await;
        }
        self.look().await;
        if leaves {
            self.leave().await;
        }
        let killed = self.homes.iter().filter(|home| self.stage.excuses(home));
        self.tally.sessions_on_killed = killed.map(|_| 1).sum();
        self.tally
    }

    async fn pause(&mut self, millis: Range<u64>) {
        sleep(self.between(millis)).await;
    }

    fn between(&mut self, millis: Range<u64>) -> Duration {
        Duration::from_millis(self.dice.u64(millis))
    }

    /// Whether the session of now died with its server.
    fn is_excused(&self) -> bool {
        self.home.as_deref().is_some_and(|home| self.stage.excuses(home))
    }

    async fn ask(&mut self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let reply = self.browser.send(method, path, body).await;
        self.note(&reply);
        wait_if_refused(&[&reply]).await;
        reply
    }

    /// For requests that may be repeated.
    async fn ask_again(&mut self, method: Method, path: &str, body: Option<&Value>) -> Reply {
        let mut reply = self.ask(method.clone(), path, body).await;
        for _ in 1..ATTEMPTS {
            if reply.is_expected() {
                break;
            }
            reply = self.ask(method.clone(), path, body).await;
        }
        reply
    }

    fn note(&mut self, reply: &Reply) {
        self.tally.latencies.push(reply.took);
        self.note_slow(reply);
    }

    /// As `note`, for a request whose latency says nothing.
    fn note_slow(&mut self, reply: &Reply) {
        self.tally.requests += 1;
        if reply.is_expected() {
            return;
        }
        match &reply.server {
            Some(server) if self.stage.cut_off(server, reply.sent) => self.tally.cut_off += 1,
            _ => self.tally.failures += 1,
        }
    }
}

async fn wait_if_refused(replies: &[&Reply]) {
    if replies.iter().any(|reply| reply.status == Some(StatusCode::SERVICE_UNAVAILABLE)) {
        sleep(AFTER_REFUSAL).await;
    }
}
