//! What the cases are written with.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, CommitOptions, CreateOptions, EndOptions, EndOutcome, EndReason, Entropy, Error, ErrorKind,
    LoadOptions, Loaded, NewEra, NewRecord, Page, Record, Secret, SecretState, SeededEntropy, SessionKey,
    SessionStore, Stamp, Stamps, Timestamp, Token, UserSession,
};

use crate::case::{Failure, Verdict};
use crate::subject::Subject;
use crate::together::{give_way, together};

/// How long the cases' sessions may go unused.
pub(crate) const IDLE: Duration = Duration::from_secs(30 * 60);
/// How long they live.
pub(crate) const LIFE: Duration = Duration::from_secs(8 * 3600);
/// The grace of an older secret.
pub(crate) const GRACE: Duration = Duration::from_secs(30);
/// The smallest step of time.
pub(crate) const TICK: Duration = Duration::from_millis(1);
/// How often a participant tries again before the case gives up on the store.
const ATTEMPTS: usize = 2_000;

/// A fresh store with a source of tokens and stamps. A clone is the same stage.
#[derive(Clone)]
pub(crate) struct Stage(Arc<Inner>);

struct Inner {
    subject: Subject,
    stamps: Stamps,
    entropy: SeededEntropy,
    run: String,
}

/// A session that the case created.
#[derive(Clone)]
pub(crate) struct Live {
    pub(crate) token: Token,
    pub(crate) created: Loaded,
}

impl Live {
    pub(crate) fn key(&self) -> &SessionKey {
        self.token.key()
    }
}

impl Stage {
    pub(crate) fn new(subject: Subject, case: &str) -> Self {
        // Cases that share a server must not share keys or users.
        let seed = case.bytes().fold(subject.seed, |seed, byte| seed.rotate_left(7) ^ u64::from(byte));
        let inner = Inner {
            stamps: Stamps::new(1),
            entropy: SeededEntropy::new(seed),
            run: format!("{case} {}", subject.seed),
            subject,
        };
        Self(Arc::new(inner))
    }

    pub(crate) fn subject(&self) -> &Subject {
        &self.0.subject
    }

    pub(crate) fn store(&self) -> &dyn SessionStore {
        &*self.0.subject.stores[0]
    }

    /// One of the handles; they are dealt round.
    pub(crate) fn handle(&self, n: usize) -> &dyn SessionStore {
        let stores = &self.0.subject.stores;
        &*stores[n % stores.len()]
    }

    pub(crate) fn handles(&self) -> impl Iterator<Item = &dyn SessionStore> {
        self.0.subject.stores.iter().map(|store| &**store)
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.subject.time.now()
    }

    pub(crate) async fn pass(&self, by: Duration) -> Verdict {
        if self.0.subject.time.advance(by).await {
            Ok(())
        } else {
            Err(Failure::Skipped("the store's time cannot be moved".into()))
        }
    }

    /// Runs `work` once for each number below `count`, all at the same time.
    pub(crate) async fn together<T, Fut>(&self, count: usize, work: impl Fn(Self, usize) -> Fut) -> Vec<T>
    where
        T: Send + 'static,
        Fut: Future<Output = T> + Send + 'static,
    {
        let work = (0..count).map(|n| work(self.clone(), n)).collect();
        together(self.0.subject.spawner.as_ref(), work).await
    }

    pub(crate) fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        // The seeded source never fails; bytes of zero would only make the case's tokens meet, and the case fail.
        let _ = self.0.entropy.fill(&mut bytes);
        bytes
    }

    pub(crate) fn token(&self) -> Token {
        Token::from_bytes(self.bytes())
    }

    /// Another secret for the same session.
    pub(crate) fn secret_for(&self, live: &Live) -> Token {
        Token::new(*live.key(), Secret::from_bytes(self.bytes()))
    }

    /// A user that no other case has.
    pub(crate) fn user(&self, name: &str) -> String {
        format!("{name} of {}", self.0.run)
    }

    pub(crate) fn stamp(&self) -> Stamp {
        self.0.stamps.next(self.now())
    }

    pub(crate) fn stamp_after(&self, seen: Stamp) -> Stamp {
        self.0.stamps.next_after(self.now(), seen)
    }

    pub(crate) fn new_record(&self, token: &Token) -> NewRecord {
        let now = self.now();
        NewRecord::new(self.stamp(), self.bytes(), token.verifier(), now)
            .idle_timeout(IDLE)
            .hard_deadline(now + LIFE)
    }

    pub(crate) async fn open_as(&self, token: Token, new: NewRecord) -> Result<Live, Error> {
        let created =
            self.store().create(token.key(), Record::create(new), &CreateOptions::default()).await?;
        Ok(Live { token, created })
    }

    /// A new session of nobody.
    pub(crate) async fn open(&self) -> Result<Live, Error> {
        let token = self.token();
        self.open_as(token, self.new_record(&token)).await
    }

    /// A new session of a user.
    pub(crate) async fn open_for(&self, user: &str) -> Result<Live, Error> {
        let token = self.token();
        self.open_as(token, self.new_record(&token).user(user, self.now())).await
    }

    pub(crate) fn look(&self) -> LoadOptions {
        LoadOptions::default().fresh(self.0.subject.lags)
    }

    pub(crate) async fn load(&self, live: &Live) -> Result<Option<Loaded>, Error> {
        self.store().load(live.key(), &self.look()).await
    }

    /// The session as it is stored, through one of the handles.
    pub(crate) async fn held_by(&self, n: usize, live: &Live) -> Result<Loaded, Failure> {
        let loaded = self.handle(n).load(live.key(), &self.look()).await?;
        loaded.ok_or_else(|| Failure::broken("a live session loads as none"))
    }

    pub(crate) async fn held(&self, live: &Live) -> Result<Loaded, Failure> {
        self.held_by(0, live).await
    }

    pub(crate) async fn is_live(&self, live: &Live) -> Result<bool, Error> {
        Ok(self.load(live).await?.is_some())
    }

    /// No change yet to `record`, with a stamp after all that it holds.
    pub(crate) fn changes(&self, record: &Record) -> Changes {
        let era = record.era().map_or(abide_core::EraId::first([0; 16]), |era| era.id());
        Changes::new(self.stamp_after(record.latest_stamp()), era)
    }

    /// That one value is set.
    pub(crate) fn setting(&self, record: &Record, key: &str, value: &[u8]) -> Changes {
        let mut changes = self.changes(record);
        changes.set(key, value);
        changes
    }

    /// That one value is replaced, on the condition that it still is that of `record`.
    pub(crate) fn updating(&self, record: &Record, key: &str, value: &[u8]) -> Changes {
        let seen = record.era().and_then(|era| era.entry(key)).map(|entry| entry.stamp());
        let mut changes = self.changes(record);
        changes.update(key, seen, Some(value.into()));
        changes
    }

    /// That `user` signs in, with the secret of `token`.
    pub(crate) fn login(&self, record: &Record, token: &Token, user: &str) -> Changes {
        let new = self.new_era(token).user(user, self.now());
        let mut changes = self.changes(record);
        changes.open_era(new);
        changes
    }

    pub(crate) fn new_era(&self, token: &Token) -> NewEra {
        NewEra::new(self.bytes(), token.verifier(), self.now() + LIFE)
    }

    pub(crate) async fn commit(&self, live: &Live, changes: &Changes) -> Result<Loaded, Error> {
        self.commit_with(live, changes, &CommitOptions::default()).await
    }

    pub(crate) async fn retry(&self, live: &Live, changes: &Changes) -> Result<Loaded, Error> {
        self.commit_with(live, changes, &CommitOptions::default().retry(true)).await
    }

    pub(crate) async fn commit_with(
        &self,
        live: &Live,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        self.store().commit(live.key(), live.created.version, changes, options).await
    }

    /// Sets a value as a request does: loads, changes, commits.
    pub(crate) async fn set(&self, live: &Live, key: &str, value: &[u8]) -> Result<Loaded, Failure> {
        let held = self.held(live).await?;
        Ok(self.commit(live, &self.setting(&held.record, key, value)).await?)
    }

    pub(crate) async fn end(&self, live: &Live) -> Result<EndOutcome, Error> {
        self.store().end(live.key(), EndReason::LoggedOut, &EndOptions::default()).await
    }

    /// Loads, changes and commits through one handle until the store takes it, as a request does whose condition
    /// did not hold. `change` gets the record that it changes.
    pub(crate) async fn persist(
        &self,
        n: usize,
        live: &Live,
        change: impl Fn(&Self, &Record) -> Changes + Send,
    ) -> Result<Loaded, Failure> {
        for _ in 0..ATTEMPTS {
            let held = self.held_by(n, live).await?;
            give_way().await;
            let changes = change(self, &held.record);
            let store = self.handle(n);
            match store.commit(live.key(), held.version, &changes, &CommitOptions::default()).await {
                Err(error) if error.kind() == ErrorKind::Conflict => give_way().await,
                answer => return Ok(answer?),
            }
        }
        Err(Failure::broken(format!("still a conflict after {ATTEMPTS} attempts")))
    }

    /// Every session of a user, by pages of `limit`.
    pub(crate) async fn pages(&self, user: &str, limit: usize) -> Result<Vec<Vec<UserSession>>, Failure> {
        let (mut pages, mut after) = (Vec::new(), None);
        for _ in 0..ATTEMPTS {
            let page = self.store().of_user(user, &Page::default().after(after).limit(limit)).await?;
            pages.push(page.sessions);
            after = page.next;
            if after.is_none() {
                return Ok(pages);
            }
        }
        Err(Failure::broken(format!("there is no last page among the first {ATTEMPTS}")))
    }

    pub(crate) async fn keys_of(&self, user: &str) -> Result<Vec<SessionKey>, Failure> {
        let pages = self.pages(user, 100).await?;
        Ok(pages.into_iter().flatten().map(|session| session.key).collect())
    }
}

/// What the secret of `token` is worth in `record`.
pub(crate) fn worth(record: &Record, token: &Token, now: Timestamp) -> SecretState {
    record.era().map_or(SecretState::Unknown, |era| era.secrets().check(token.verifier(), now, GRACE))
}

/// The number that a value holds, zero where it is absent.
pub(crate) fn number(record: &Record, key: &str) -> u64 {
    let text = record.value(key).and_then(|bytes| std::str::from_utf8(bytes).ok());
    text.and_then(|text| text.parse().ok()).unwrap_or(0)
}
