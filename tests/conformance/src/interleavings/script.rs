//! One client carries out its part of a plan, and writes down what it did.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use abide_core::{Clock, ErrorKind, Secret, SessionKey, Token};

use super::client::{Calls, Client, Cookie};
use super::history::{self, Act, Change, Entry, Log, RequestId, Saw, What, Who};
use super::network::Counts;
use super::plan::{Call, Presents, Request};
use crate::together::give_way;

/// What the clients of one run share.
pub(super) struct World {
    pub(super) log: Log,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keeps_on_error: bool,
    jar: Mutex<Jar>,
}

#[derive(Default)]
struct Jar {
    /// The key of the run: that of the first token that anybody got.
    key: Option<SessionKey>,
    /// Every token of the run, in the order in which the clients got them.
    tokens: Vec<(Token, RequestId)>,
}

impl World {
    pub(super) fn new(clock: Arc<dyn Clock>, key: Option<SessionKey>, keeps_on_error: bool) -> Self {
        let jar = Mutex::new(Jar { key, ..Jar::default() });
        Self { log: Log::default(), clock, keeps_on_error, jar }
    }

    fn jar(&self) -> MutexGuard<'_, Jar> {
        self.jar.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many tokens the clients got.
    pub(super) fn tokens(&self) -> usize {
        self.jar().tokens.len()
    }
}

/// A client, and what it holds.
pub(super) struct Actor {
    pub(super) number: usize,
    pub(super) client: Arc<dyn Client>,
    pub(super) world: Arc<World>,
    own: Option<(Token, RequestId)>,
    requests: RequestId,
}

impl Actor {
    pub(super) fn new(number: usize, client: Arc<dyn Client>, world: Arc<World>) -> Self {
        Self { number, client, world, own: None, requests: 0 }
    }

    /// The same client later: what it sends is numbered from here on.
    pub(super) fn numbered_from(mut self, requests: RequestId) -> Self {
        self.requests = requests;
        self
    }

    pub(super) async fn carry_out(&mut self, requests: &[Request]) {
        for request in requests {
            self.request(request).await;
            give_way().await;
        }
    }

    async fn request(&mut self, request: &Request) {
        self.requests += 1;
        let id = self.number as RequestId * 64 + self.requests;
        let presented = self.presented(request.presents);
        let attempt = Attempt::new(self, id, presented.map_or(history::Token::None, |(_, name)| name));
        let shared = Arc::new(Mutex::new(None));
        let (back, calls, fails) = (shared.clone(), request.calls.clone(), request.fails);
        let handler = Box::new(move |session: Arc<dyn Calls>| {
            let mut attempt = attempt;
            let work: super::client::Boxed<bool> = Box::pin(async move {
                attempt.begin();
                let went_well = attempt.handle(&*session, &calls).await && !fails;
                attempt.leave_handler(went_well);
                *back.lock().unwrap_or_else(PoisonError::into_inner) = Some(attempt);
                went_well
            });
            work
        });
        let response = self.client.request(presented.map(|(token, _)| token), handler).await;
        let saw = self.keep(response.cookie, id);
        let attempt = shared.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut attempt) = attempt {
            attempt.finished(response.failed, saw);
        }
    }

    fn presented(&self, presents: Presents) -> Option<(Token, history::Token)> {
        let jar = self.world.jar();
        let found = match presents {
            Presents::Own => self.own.or(jar.tokens.last().copied()),
            Presents::Newest => jar.tokens.last().copied(),
            Presents::Older(n) => jar.tokens.get(n % jar.tokens.len().max(1)).copied(),
            Presents::Forged => {
                let token = Token::new(jar.key?, Secret::from_bytes([0xF0; 16]));
                return Some((token, history::Token::Forged));
            }
        };
        found.map(|(token, of)| (token, history::Token::Of(of)))
    }

    /// Takes the cookie of a response as a browser does.
    fn keep(&mut self, cookie: Cookie, id: RequestId) -> Saw {
        match cookie {
            Cookie::None => Saw::Nothing,
            Cookie::Removed => {
                self.own = None;
                Saw::Removal
            }
            Cookie::Set(token) => {
                let mut jar = self.world.jar();
                if *jar.key.get_or_insert(*token.key()) != *token.key() {
                    return Saw::Elsewhere;
                }
                jar.tokens.push((token, id));
                self.own = Some((token, id));
                Saw::Token
            }
        }
    }
}

/// One request under way.
struct Attempt {
    number: usize,
    id: RequestId,
    client: Arc<dyn Client>,
    world: Arc<World>,
    token: history::Token,
    began: abide_core::Timestamp,
    /// Whether something surely is pending.
    asked: bool,
    opened: bool,
    called: u32,
    since: abide_core::Timestamp,
    counts: Counts,
}

impl Attempt {
    fn new(actor: &Actor, id: RequestId, token: history::Token) -> Self {
        Self {
            number: actor.number,
            id,
            client: actor.client.clone(),
            world: actor.world.clone(),
            token,
            began: actor.world.clock.now(),
            asked: false,
            opened: false,
            called: 0,
            since: actor.world.clock.now(),
            counts: Counts::default(),
        }
    }

    fn begin(&mut self) {
        self.call();
        self.since = self.began;
        let latest = self.world.clock.now();
        self.answer(What::Begin { token: self.token, latest });
    }

    fn call(&mut self) {
        self.since = self.world.clock.now();
        self.counts = self.client.traffic().counts();
        self.called = self.world.log.tick();
    }

    fn answer(&mut self, what: What) {
        let answered = self.world.log.tick();
        let counts = self.client.traffic().counts().since(self.counts);
        let touched = !matches!(what, What::Begin { .. } | What::Pend { .. } | What::Discard);
        let opened =
            self.opened || (touched && self.token == history::Token::None) || (touched && counts.looked > 0);
        self.world.log.add(Entry {
            client: self.number,
            request: self.id,
            called: self.called,
            answered,
            since: self.since,
            what,
            counts,
            opened: (self.opened, opened),
        });
        self.opened = opened;
    }

    async fn handle(&mut self, session: &dyn Calls, calls: &[Call]) -> bool {
        for call in calls {
            if !self.one(session, *call).await {
                return false;
            }
        }
        true
    }

    async fn one(&mut self, session: &dyn Calls, call: Call) -> bool {
        match call {
            Call::Look => return self.look(session).await,
            Call::Set(key, value) => {
                self.pend(Change::Value(key, Some(value)));
                session.set(key, value);
            }
            Call::Remove(key) => {
                self.pend(Change::Value(key, None));
                session.remove(key);
            }
            Call::IdleTimeout(timeout) => {
                self.pend(Change::Idle(timeout));
                session.set_idle_timeout(timeout);
            }
            Call::LogOut => return self.log_out(session).await,
            Call::Stray => {
                self.call();
                let answer = session.stray().await;
                // It is about no session of this request.
                let opened = self.opened;
                self.answer(What::Stray { answer });
                self.opened = opened;
            }
            _ => return self.act(session, call).await,
        }
        true
    }

    fn pend(&mut self, change: Change) {
        self.asked = true;
        self.call();
        self.answer(What::Pend { change });
    }

    async fn look(&mut self, session: &dyn Calls) -> bool {
        self.call();
        let view = session.look().await;
        self.answer(What::Look { view });
        view.is_ok()
    }

    async fn act(&mut self, session: &dyn Calls, call: Call) -> bool {
        let mut act = Act::default();
        self.call();
        let answer = match call {
            Call::Update(key, change) => {
                act.update = Some((key, change));
                session.update(key, change).await.map(Some)
            }
            Call::LogIn(user, kept) => {
                act.opens = Some((Who::User(user), kept));
                session.log_in(user, kept).await.map(|()| None)
            }
            Call::Renew => {
                act.opens = Some((Who::Same, super::plan::Kept::All));
                session.renew().await.map(|()| None)
            }
            Call::Leave(kept) => {
                act.opens = Some((Who::Nobody, kept));
                session.leave(kept).await.map(|()| None)
            }
            _ => session.save().await.map(|()| None),
        };
        // What is seen after a commit is its answer; seeing it asks nothing of the store.
        let view = if answer.is_ok() { session.look().await.ok() } else { None };
        self.answer(What::Act { act, answer, view });
        self.settle(answer.err());
        answer.is_ok()
    }

    async fn log_out(&mut self, session: &dyn Calls) -> bool {
        self.call();
        let answer = session.log_out().await;
        self.answer(What::LogOut { answer });
        self.asked = false;
        answer.is_ok()
    }

    fn settle(&mut self, error: Option<ErrorKind>) {
        if matches!(error, None | Some(ErrorKind::Ended | ErrorKind::Missing)) {
            self.asked = false;
        }
    }

    fn leave_handler(&mut self, went_well: bool) {
        if !went_well && !self.world.keeps_on_error {
            self.call();
            self.answer(What::Discard);
            self.asked = false;
        }
        self.call();
    }

    fn finished(&mut self, failed: Option<ErrorKind>, saw: Saw) {
        self.answer(What::Finish { asked: self.asked, failed, saw });
    }
}
