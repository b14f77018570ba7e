//! Every request, and what came of it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

/// One request.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// Whom it went to; nobody where nobody took requests.
    pub server: Option<SocketAddr>,
    /// What it asks for.
    pub what: &'static str,
    /// Whether it changes the session, or makes one.
    pub writes: bool,
    /// When it was sent.
    pub begun: Instant,
    /// How long it took.
    pub took: Duration,
    /// The status of the answer, if one came in time.
    pub status: Option<StatusCode>,
    /// Whether the status is the one that the request asks for.
    pub good: bool,
}

/// Requests.
#[derive(Clone, Debug, Default)]
pub struct Requests(pub Vec<Request>);

impl Requests {
    /// Those that were sent at or after a time.
    #[must_use]
    pub fn since(&self, time: Instant) -> Self {
        self.only(|request| request.begun >= time)
    }

    /// Those that were sent before a time.
    #[must_use]
    pub fn before(&self, time: Instant) -> Self {
        self.only(|request| request.begun < time)
    }

    /// Those that went to one of these servers.
    #[must_use]
    pub fn at(&self, servers: &[SocketAddr]) -> Self {
        self.only(|request| request.server.is_some_and(|server| servers.contains(&server)))
    }

    /// Those that change a session, or make one.
    #[must_use]
    pub fn writes(&self) -> Self {
        self.only(|request| request.writes)
    }

    /// Those that only read.
    #[must_use]
    pub fn reads(&self) -> Self {
        self.only(|request| !request.writes)
    }

    /// Those that came to what they asked for.
    #[must_use]
    pub fn good(&self) -> Self {
        self.only(|request| request.good)
    }

    /// Those that did not.
    #[must_use]
    pub fn failed(&self) -> Self {
        self.only(|request| !request.good)
    }

    fn only(&self, which: impl Fn(&Request) -> bool) -> Self {
        Self(self.0.iter().filter(|request| which(request)).copied().collect())
    }

    /// How many there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// From a time to the first answer.
    #[must_use]
    pub fn first_answer(&self, time: Instant) -> Option<Duration> {
        self.0.iter().map(|request| (request.begun + request.took).saturating_duration_since(time)).min()
    }

    /// From a time to the last answer.
    #[must_use]
    pub fn last_answer(&self, time: Instant) -> Option<Duration> {
        self.0.iter().map(|request| (request.begun + request.took).saturating_duration_since(time)).max()
    }

    /// How long the longest took.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.0.iter().map(|request| request.took).max().unwrap_or_default()
    }

    /// How many of which came to what, in words.
    #[must_use]
    pub fn by_status(&self) -> String {
        let mut counts = BTreeMap::<String, usize>::new();
        for request in &self.0 {
            let what = match (request.server, request.status) {
                (None, _) => "nobody was ready".to_owned(),
                (_, None) => format!("{} unanswered", request.what),
                (_, Some(status)) => format!("{} {}", request.what, status.as_u16()),
            };
            *counts.entry(what).or_default() += 1;
        }
        let words: Vec<_> = counts.into_iter().map(|(what, count)| format!("{count} {what}")).collect();
        if words.is_empty() { "none".to_owned() } else { words.join(", ") }
    }
}
