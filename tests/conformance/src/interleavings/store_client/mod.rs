//! A client that does to a store what abide's layer does, in small: it loads and verifies, makes changes of what it saw,
//! commits, looks again after a conflict, and asks again where an answer was lost.

mod calls;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use abide_core::{
    Changes, Clock, CommitOptions, CreateOptions, EndOptions, EndReason, Era, EraId, Error, ErrorKind, Keep,
    LoadOptions, Loaded, NewEra, NewRecord, Peek, Record, Secret, SecretState, SessionKey, SessionStore,
    Stamps, Timestamp, Token, ValueChange, Version, async_trait,
};

use crate::interleavings::client::{Calls, Client, Cookie, Handler, Response, View};
use crate::interleavings::network::{Network, Traffic};
use crate::interleavings::plan::{Arithmetic, GRACE, IDLE, KEYS, Kept, LIFE, RENEW_EVERY, USERS};
use crate::interleavings::rng::Rng;
use crate::together::give_way;

/// How often a lost answer is asked for again.
const RETRIES: usize = 3;
/// More than any plan has clients that could come between.
const STEPS: usize = 1_000;

/// One server that talks to the store as the layer does.
pub struct StoreClient(Arc<Server>);

struct Server {
    store: Network,
    traffic: Traffic,
    clock: Arc<dyn Clock>,
    stamps: Stamps,
    rng: Mutex<Rng>,
    key: SessionKey,
    keeps_on_error: bool,
}

impl StoreClient {
    /// A server with the number `writer` for the one session under `key`.
    #[must_use]
    pub fn new(
        store: Network,
        clock: Arc<dyn Clock>,
        writer: u64,
        key: SessionKey,
        keeps_on_error: bool,
    ) -> Self {
        let stamps = Stamps::new(writer);
        let mut rng = Rng::new(writer);
        // Some servers' stamps run ahead of the others' within one millisecond, as clocks do.
        for _ in 0..[0, 1, 50][rng.below(3)] {
            stamps.next(clock.now());
        }
        let traffic = store.traffic();
        Self(Arc::new(Server { store, traffic, clock, stamps, rng: Mutex::new(rng), key, keeps_on_error }))
    }
}

impl std::fmt::Debug for StoreClient {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreClient").field("key", &self.0.key).finish_non_exhaustive()
    }
}

#[async_trait]
impl Client for StoreClient {
    async fn request(&self, token: Option<Token>, handler: Handler) -> Response {
        let began = self.0.clock.now();
        let session = Arc::new(Session { server: self.0.clone(), token, began, state: Mutex::default() });
        let went_well = handler(session.clone()).await;
        session.finish(went_well).await
    }

    fn traffic(&self) -> &Traffic {
        &self.0.traffic
    }
}

impl Server {
    fn bytes<const N: usize>(&self) -> [u8; N] {
        self.rng.lock().unwrap_or_else(PoisonError::into_inner).bytes()
    }

    fn token(&self) -> Token {
        Token::new(self.key, Secret::from_bytes(self.bytes()))
    }

    async fn load(&self) -> Result<Option<Loaded>, Error> {
        match self.store.peek(&self.key) {
            Peek::Found(loaded) => Ok(Some(loaded)),
            Peek::Absent => Ok(None),
            _ => self.store.load(&self.key, &LoadOptions::default()).await,
        }
    }

    async fn commit(&self, version: Version, changes: &Changes) -> Result<Loaded, Error> {
        let mut tries = 0;
        loop {
            let options = CommitOptions::default().retry(tries > 0);
            let answer = match self.store.try_commit(&self.key, version, changes, &options) {
                Some(answer) => answer,
                None => self.store.commit(&self.key, version, changes, &options).await,
            };
            if !asks_again(&answer, &mut tries) {
                return honest(answer, tries);
            }
        }
    }

    async fn create(&self, record: &Record) -> Result<Loaded, Error> {
        let mut tries = 0;
        loop {
            let answer = self.store.create(&self.key, record.clone(), &CreateOptions::default()).await;
            if !asks_again(&answer, &mut tries) {
                return honest(answer, tries);
            }
        }
    }
}

fn asks_again(answer: &Result<Loaded, Error>, tries: &mut usize) -> bool {
    let lost = matches!(answer, Err(error) if error.kind() == ErrorKind::Ambiguous);
    let again = lost && *tries < RETRIES;
    *tries += usize::from(again);
    again
}

/// What was sent before may have happened, also where asking again was refused.
fn honest(answer: Result<Loaded, Error>, tries: usize) -> Result<Loaded, Error> {
    match answer {
        Err(error) if error.kind() == ErrorKind::Unavailable && tries > 0 => Err(ErrorKind::Ambiguous.into()),
        answer => answer,
    }
}

struct Session {
    server: Arc<Server>,
    token: Option<Token>,
    began: Timestamp,
    state: Mutex<State>,
}

struct State {
    identity: Identity,
    values: [Option<Option<i64>>; KEYS.len()],
    idle: Option<Duration>,
    cookie: Cookie,
}

impl Default for State {
    fn default() -> Self {
        Self { identity: Identity::Unopened, values: [None; KEYS.len()], idle: None, cookie: Cookie::None }
    }
}

#[derive(Clone)]
enum Identity {
    Unopened,
    Empty,
    Live(Live),
    Over,
}

#[derive(Clone)]
struct Live {
    loaded: Loaded,
    secret: SecretState,
}

impl Live {
    fn era(&self) -> Option<&Era> {
        self.loaded.record.era()
    }
}

/// What an operation wants beside committing what is pending.
#[derive(Clone, Copy)]
enum Intent {
    Save,
    Update(usize, Arithmetic),
    Open(Who, Kept),
}

#[derive(Clone, Copy)]
enum Who {
    User(usize),
    Same,
    Nobody,
}

/// What was changed and not yet committed, and what came of an update.
struct Step {
    changes: Changes,
    token: Option<Token>,
    updated: Option<i64>,
}

impl State {
    fn is_pending(&self) -> bool {
        self.values.iter().any(Option::is_some) || self.idle.is_some()
    }

    fn settle(&mut self) {
        (self.values, self.idle) = ([None; KEYS.len()], None);
    }

    fn is_over(&mut self) {
        self.settle();
        (self.identity, self.cookie) = (Identity::Over, Cookie::None);
    }
}

fn parsed(bytes: &[u8]) -> Option<i64> {
    std::str::from_utf8(bytes).ok()?.parse().ok()
}

fn written(value: i64) -> Arc<[u8]> {
    value.to_string().into_bytes().into()
}

fn number(record: &Record, key: usize) -> Option<i64> {
    record.value(KEYS[key]).and_then(parsed)
}

impl Session {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn open(&self) -> Result<(), Error> {
        if !matches!(self.state().identity, Identity::Unopened) {
            return Ok(());
        }
        let identity = match self.token {
            Some(token) => self.verified(token, self.server.load().await?),
            None => Identity::Empty,
        };
        self.state().identity = identity;
        Ok(())
    }

    fn verified(&self, token: Token, loaded: Option<Loaded>) -> Identity {
        let Some(loaded) = loaded else { return Identity::Empty };
        let Some(era) = loaded.record.era() else { return Identity::Empty };
        let secret = era.secrets().check(token.verifier(), self.began, GRACE);
        if secret.is_good() { Identity::Live(Live { loaded, secret }) } else { Identity::Empty }
    }

    async fn write(&self, intent: Intent) -> Result<Option<i64>, Error> {
        self.open().await?;
        for _ in 0..STEPS {
            let identity = self.state().identity.clone();
            let answer = match identity {
                Identity::Live(live) => self.commit(&live, intent).await,
                Identity::Over => return Err(ErrorKind::Ended.into()),
                Identity::Unopened | Identity::Empty => self.create(intent).await,
            };
            match answer {
                Err(error) if error.kind() == ErrorKind::Conflict => self.look_again(error).await?,
                Err(error) => return Err(self.failed(error)),
                Ok(updated) => return Ok(updated),
            }
            give_way().await;
        }
        Err(ErrorKind::Conflict.into())
    }

    fn failed(&self, error: Error) -> Error {
        if error.is_over() {
            self.state().is_over();
        }
        error
    }

    async fn look_again(&self, mut conflict: Error) -> Result<(), Error> {
        let current = match conflict.take_current() {
            Some(current) => Some(current),
            None => self.server.store.load(&self.server.key, &LoadOptions::default().fresh(true)).await?,
        };
        let Some(current) = current.filter(|current| current.record.era().is_some()) else {
            return Err(self.failed(ErrorKind::Ended.into()));
        };
        let mut state = self.state();
        let Identity::Live(live) = &mut state.identity else { return Ok(()) };
        if current.record.era().map(Era::id) != live.era().map(Era::id) {
            return Err(ErrorKind::Superseded.into());
        }
        live.loaded = current;
        Ok(())
    }

    async fn commit(&self, live: &Live, intent: Intent) -> Result<Option<i64>, Error> {
        let Some(step) = self.step(live, intent) else { return Ok(None) };
        let loaded = self.server.commit(live.loaded.version, &step.changes).await?;
        let now = self.server.clock.now();
        let good = |token: &Token| {
            let era = loaded.record.era();
            era.is_some_and(|era| era.secrets().check(token.verifier(), now, GRACE).is_good())
        };
        let minted = step.token.filter(good);
        let mut state = self.state();
        state.settle();
        if let Some(token) = minted {
            state.cookie = Cookie::Set(token);
        }
        let confirmed = step.changes.new_era().is_some() || matches!(live.secret, SecretState::Pending(_));
        let secret = if confirmed { SecretState::Current } else { live.secret };
        state.identity = Identity::Live(Live { loaded, secret });
        Ok(step.updated)
    }

    /// What is to be asked of the store; `None` where there is nothing.
    fn step(&self, live: &Live, intent: Intent) -> Option<Step> {
        let server = &self.server;
        let now = server.clock.now();
        let (state, era) = (self.state(), live.era()?);
        let stamp = server.stamps.next_after(now, live.loaded.record.latest_stamp());
        let mut changes = Changes::new(stamp, era.id());
        for (key, value) in state.values.iter().enumerate() {
            match value {
                Some(Some(value)) => changes.set(KEYS[key], written(*value)),
                Some(None) if era.value(KEYS[key]).is_some() => changes.remove(KEYS[key]),
                _ => {}
            }
        }
        if let Some(timeout) = state.idle {
            changes.set_idle_timeout(timeout);
        }
        let mut updated = None;
        if let Intent::Update(key, change) = intent {
            let current = state.values[key].unwrap_or_else(|| number(&live.loaded.record, key));
            let value = change.of(current);
            let seen = era.entry(KEYS[key]).map(|entry| entry.stamp());
            changes.change(KEYS[key].into(), ValueChange::Update { seen, value: Some(written(value)) });
            updated = Some(value);
        }
        let token = match intent {
            Intent::Open(who, kept) => Some(self.open_era(&mut changes, era, who, kept, now)),
            _ => self.upkeep(&mut changes, live, era, now),
        };
        if changes.is_empty() {
            return None;
        }
        changes.seen_at(now);
        Some(Step { changes, token, updated })
    }

    fn open_era(&self, changes: &mut Changes, era: &Era, who: Who, kept: Kept, now: Timestamp) -> Token {
        let token = self.server.token();
        let keep = match kept {
            Kept::All => Keep::All,
            Kept::Nothing => Keep::Nothing,
            Kept::First => Keep::Only(vec![KEYS[0].into()]),
        };
        let new = |deadline| NewEra::new(self.server.bytes(), token.verifier(), deadline).keep(keep);
        changes.open_era(match who {
            Who::User(user) => new(now + LIFE).user(USERS[user], now),
            Who::Nobody => new(now + LIFE),
            Who::Same => new(era.hard_deadline()).identity(era.user().cloned(), era.authenticated_at()),
        });
        token
    }

    fn upkeep(&self, changes: &mut Changes, live: &Live, era: &Era, now: Timestamp) -> Option<Token> {
        if slide_is_due(era, now) {
            changes.seen_at(now);
        }
        if let SecretState::Pending(generation) = live.secret {
            changes.confirm(generation, now);
        }
        if !renewal_is_due(live, era, now) {
            return None;
        }
        let token = self.server.token();
        changes.renew(era.secrets().newest(), token.verifier(), now);
        Some(token)
    }

    async fn create(&self, intent: Intent) -> Result<Option<i64>, Error> {
        let server = &self.server;
        let token = server.token();
        let (record, updated) = {
            let state = self.state();
            let now = server.clock.now();
            let mut values = state.values.map(Option::flatten);
            let (mut user, mut updated) = (None, None);
            match intent {
                Intent::Open(Who::User(name), _) => user = Some(name),
                Intent::Open(..) => return Ok(None),
                Intent::Update(key, change) => {
                    updated = Some(change.of(values[key]));
                    values[key] = updated;
                }
                Intent::Save if values.iter().all(Option::is_none) => return Ok(None),
                Intent::Save => {}
            }
            let new = NewRecord::new(server.stamps.next(now), server.bytes(), token.verifier(), now)
                .idle_timeout(state.idle.unwrap_or(IDLE))
                .hard_deadline(now + LIFE);
            let new = user.into_iter().fold(new, |new, user| new.user(USERS[user], now));
            let set = values.into_iter().enumerate().filter_map(|(key, value)| Some((KEYS[key], value?)));
            (Record::create(set.fold(new, |new, (key, value)| new.value(key, written(value)))), updated)
        };
        let loaded = server.create(&record).await?;
        let mut state = self.state();
        state.settle();
        state.cookie = Cookie::Set(token);
        state.identity = Identity::Live(Live { loaded, secret: SecretState::Current });
        Ok(updated)
    }

    async fn finish(&self, went_well: bool) -> Response {
        if !went_well && !self.server.keeps_on_error {
            self.state().settle();
        }
        let asked = self.state().is_pending();
        let has_work = match &self.state().identity {
            Identity::Live(live) => asked || self.needs_upkeep(live),
            _ => asked,
        };
        let result = if has_work { self.write(Intent::Save).await.map(drop) } else { Ok(()) };
        let failed = result.err().filter(|error| asked && !error.is_over()).map(|error| error.kind());
        Response { failed, cookie: self.state().cookie }
    }

    fn needs_upkeep(&self, live: &Live) -> bool {
        let due = |era| slide_is_due(era, self.began) || renewal_is_due(live, era, self.began);
        matches!(live.secret, SecretState::Pending(_)) || live.era().is_some_and(due)
    }
}

fn slide_is_due(era: &Era, now: Timestamp) -> bool {
    now.since(era.last_seen()) >= era.idle_timeout() / 10
}

fn renewal_is_due(live: &Live, era: &Era, now: Timestamp) -> bool {
    let secrets = era.secrets();
    live.secret == SecretState::Current
        && now.since(secrets.newest_minted()) >= RENEW_EVERY
        && secrets.has_room()
}
