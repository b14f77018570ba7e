//! What a visitor does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fastrand::Rng;
use http::{Method, StatusCode};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

use super::Shared;
use super::findings::Finding;
use super::person::{Bounds, Person};
use super::requests::Request;
use crate::browser::Answer;

/// Past every deadline of a server that lives.
const ANSWER: Duration = Duration::from_secs(4);
/// While nobody takes requests.
const NOBODY: Duration = Duration::from_millis(50);
/// How many requests a session gets at the most, before its visitor leaves it.
const STAY: usize = 24;
/// How long a slow request waits between its read and its write.
const SLOW: Duration = Duration::from_millis(40);

pub(super) struct Visitor {
    shared: Arc<Shared>,
    number: usize,
    rng: Rng,
}

impl Visitor {
    pub(super) fn new(shared: Arc<Shared>, number: usize, rng: Rng) -> Self {
        Self { shared, number, rng }
    }

    pub(super) async fn come_and_go(&mut self) {
        let mut visits = 0;
        while !self.stops() {
            visits += 1;
            let user = format!("visitor {} {visits}", self.number);
            if let Some(person) = self.shared.signs_in(user).await {
                self.stay(&person).await;
                self.part(person).await;
            }
            sleep(self.shared.crowd.pause).await;
        }
    }

    fn stops(&self) -> bool {
        self.shared.stop.load(Ordering::Relaxed)
    }

    async fn stay(&mut self, person: &Arc<Person>) {
        for _ in 0..self.rng.usize(1..=STAY) {
            if self.stops() {
                return;
            }
            match self.rng.u8(..10) {
                0..=2 => self.shared.reads(person).await,
                3 => self.shared.is_known(person).await,
                4..=5 => self.shared.increments(person).await,
                6..=7 => self.shared.turns_page(person).await,
                _ => self.visits_another(person).await,
            }
            sleep(self.shared.crowd.pause).await;
        }
    }

    /// Somebody who stays is visited by several at once.
    async fn visits_another(&mut self, person: &Arc<Person>) {
        let other = {
            let kept = self.shared.kept.lock().unwrap();
            self.rng.choice(kept.iter()).cloned()
        };
        let other = other.as_ref().unwrap_or(person);
        if self.rng.bool() {
            self.shared.increments(other).await;
        } else {
            self.shared.reads(other).await;
        }
    }

    /// One in three stays signed in while there is room; the others log out, half of them while a request is under way.
    async fn part(&mut self, person: Arc<Person>) {
        if self.rng.u8(..3) == 0 {
            let mut kept = self.shared.kept.lock().unwrap();
            if kept.len() < self.shared.crowd.kept {
                return kept.push(person);
            }
        }
        if self.rng.bool() {
            tokio::join!(self.shared.dawdles(&person), async {
                sleep(SLOW / 2).await;
                self.shared.leaves(&person).await;
            });
        } else {
            self.shared.leaves(&person).await;
        }
    }
}

/// Why what was asked for did not come back.
#[derive(Clone, Copy, Debug)]
enum Failed {
    /// Something else did.
    Refused,
    /// Nothing did.
    Unheard,
}

/// A request.
struct Ask<'a> {
    what: &'static str,
    method: Method,
    path: &'a str,
    body: String,
    /// What it asks for.
    good: StatusCode,
}

impl<'a> Ask<'a> {
    fn get(what: &'static str, path: &'a str, good: StatusCode) -> Self {
        Self { what, method: Method::GET, path, body: String::new(), good }
    }

    fn post(what: &'static str, path: &'a str, body: impl Into<String>) -> Self {
        Self { what, method: Method::POST, path, body: body.into(), good: StatusCode::OK }
    }
}

impl Shared {
    async fn signs_in(&self, user: String) -> Option<Arc<Person>> {
        let person = Arc::new(Person::new(user, None));
        let who = format!("{{\"user\":\"{}\"}}", person.user);
        self.send(&person, Ask::post("login", "/login", who)).await.ok()?;
        Some(person)
    }

    async fn is_known(&self, person: &Person) {
        let Ok(answer) = self.send(person, Ask::get("who", "/me", StatusCode::OK)).await else { return };
        let user = answer.json()["user"].clone();
        if user != person.user.as_str() {
            self.find(Finding::Odd, format!("{} is {user}", person.user));
        }
    }

    async fn reads(&self, person: &Person) {
        let (visits, page) = (person.visits.least(), person.page.least());
        let Ok(answer) = self.send(person, Ask::get("read", "/values", StatusCode::OK)).await else {
            return;
        };
        let values = answer.json();
        self.hold(person, "visits", &person.visits, visits, number(&values["visits"]));
        self.hold(person, "page", &person.page, page, number(&values["page"]));
    }

    async fn increments(&self, person: &Person) {
        let least = person.visits.least() + 1;
        person.visits.ask();
        let ask = Ask::post("increment", "/values/visits/increment", "");
        if let Ok(answer) = self.send(person, ask).await {
            self.hold(person, "visits, incremented,", &person.visits, least, number(&answer.json()["value"]));
        }
    }

    async fn turns_page(&self, person: &Person) {
        let page = person.page.ask();
        let (body, good) = (page.to_string(), StatusCode::NO_CONTENT);
        let ask = Ask { what: "write", method: Method::PUT, path: "/values/page", body, good };
        match self.send(person, ask).await {
            Ok(_) => person.page.saw(page),
            Err(Failed::Unheard) => person.page.leave_open(page),
            Err(Failed::Refused) => {}
        }
    }

    /// Reads, waits and writes, while its session may end.
    async fn dawdles(&self, person: &Person) {
        let path = format!("/slow?ms={}", SLOW.as_millis());
        let _ = self.send_as(&tab_of(person), Ask::post("slow write", &path, r#"{"late":1}"#)).await;
    }

    /// Logs out, and tries the cookie of before again.
    async fn leaves(&self, person: &Arc<Person>) {
        let ask = Ask { good: StatusCode::NO_CONTENT, ..Ask::post("logout", "/logout", "") };
        if self.send_as(&tab_of(person), ask).await.is_ok() {
            self.note_left(person);
            let _ =
                self.send_as(&tab_of(person), Ask::get("who left", "/me", StatusCode::UNAUTHORIZED)).await;
        }
    }

    fn note_left(&self, person: &Arc<Person>) {
        let mut left = self.left.lock().unwrap();
        if left.len() >= self.crowd.kept {
            left.swap_remove(fastrand::usize(..self.crowd.kept));
        }
        left.push(person.clone());
    }

    /// Holds a number against what it may be.
    pub(super) fn hold(&self, person: &Person, name: &str, bounds: &Bounds, least: u64, number: u64) {
        let (user, most) = (&person.user, bounds.most());
        if number < least && !bounds.may_come_late(number) {
            self.find(Finding::Stale, format!("{name} of {user} is {number}, was {least} before"));
        } else if number > most {
            self.find(Finding::Odd, format!("{name} of {user} is {number}, asked for were {most}"));
        }
        bounds.saw(number);
    }

    pub(super) fn find(&self, finding: Finding, words: String) {
        self.findings.lock().unwrap().add(finding, words);
    }

    /// Sends a request with the person's cookie, and keeps the one that comes back.
    async fn send(&self, person: &Person, ask: Ask<'_>) -> Result<Answer, Failed> {
        let tab = tab_of(person);
        let before = tab.cookie.lock().unwrap().clone();
        let answer = self.send_as(&tab, ask).await?;
        let after = tab.cookie.into_inner().unwrap();
        if after != before {
            *person.cookie.lock().unwrap() = after;
        }
        Ok(answer)
    }

    /// Sends a request to whoever's turn it is. Answers what came back where that is what was asked for.
    async fn send_as(&self, person: &Person, ask: Ask<'_>) -> Result<Answer, Failed> {
        let (server, begun) = (self.rotation.next(), Instant::now());
        let answer = match server {
            Some(server) => self.answer_of(person, server, &ask).await,
            None => {
                sleep(NOBODY).await;
                None
            }
        };
        let status = answer.as_ref().map(|answer| answer.status);
        let good = status == Some(ask.good);
        let request = Request {
            server,
            what: ask.what,
            writes: ask.method != Method::GET,
            begun,
            took: begun.elapsed(),
            status,
            good,
        };
        self.requests.lock().unwrap().0.push(request);
        if let Some(status) = status.filter(|_| !good) {
            self.judge(person, ask.path, server, status);
        }
        answer.ok_or(Failed::Unheard).and_then(|answer| if good { Ok(answer) } else { Err(Failed::Refused) })
    }

    async fn answer_of(&self, person: &Person, server: SocketAddr, ask: &Ask<'_>) -> Option<Answer> {
        let mut browser = self.base.at(server);
        browser.cookie = person.cookie.lock().unwrap().clone();
        let sent = browser.try_send(ask.method.clone(), ask.path, ask.body.clone());
        let answer = timeout(ANSWER, sent).await.ok()?.ok()?;
        *person.cookie.lock().unwrap() = browser.cookie;
        Some(answer)
    }

    /// Judges an answer that is not the one asked for: a server may refuse while it cannot serve, and nothing else.
    fn judge(&self, person: &Person, path: &str, server: Option<SocketAddr>, status: StatusCode) {
        let words = format!("{path} of {} at {server:?}: {status}", person.user);
        match status {
            StatusCode::SERVICE_UNAVAILABLE => {}
            StatusCode::UNAUTHORIZED => self.find(Finding::Lost, words),
            StatusCode::OK if path == "/me" => self.find(Finding::Revived, words),
            _ => self.find(Finding::Odd, words),
        }
    }
}

/// The person in another tab, with a copy of the cookie.
fn tab_of(person: &Person) -> Person {
    Person::new(person.user.clone(), person.cookie.lock().unwrap().clone())
}

/// A value that is missing was never written.
pub(super) fn number(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}
