//! The smallest store that conforms: one map behind one lock. And what its flaws make of it.

use std::collections::{BTreeMap, HashMap};
use std::future::poll_fn;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::Poll;
use std::time::Duration;

use abide_conformance::{Outage, Subject};
use abide_core::{
    Capabilities, Changes, Clock, CommitOptions, CommitRules, CreateOptions, Drained, EndOptions, EndOutcome,
    EndReason, EndUserOptions, Error, ErrorKind, LoadOptions, Loaded, ManualClock, Metric, NewRecord, Page,
    Peek, Readiness, Record, SessionKey, SessionStore, Stamps, Timestamp, UserPage, UserSession, Verifier,
    Version, async_trait,
};

use crate::flaw::{self, Flaw};
use crate::surgery;

/// How long an end is remembered.
const REMEMBERED: Duration = Duration::from_secs(600);
/// How many sessions there is room for.
pub(crate) const BOUND: usize = 200;
/// And how many bytes.
const BYTE_BOUND: usize = 4 << 20;

/// One handle on the sessions.
#[derive(Debug)]
struct Simple {
    shared: Arc<Shared>,
    /// Used by the flaw that caches.
    cache: Mutex<HashMap<SessionKey, Option<Loaded>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    clock: Arc<ManualClock>,
    stamps: Stamps,
    flaw: Option<Flaw>,
    cut: AtomicBool,
    busy: AtomicBool,
    drained: AtomicBool,
}

#[derive(Debug, Default)]
struct State {
    slots: BTreeMap<SessionKey, Slot>,
    barriers: HashMap<String, Timestamp>,
    everybodys: Timestamp,
    versions: u128,
    /// Every state of every session, for the flaws that write what they saw.
    history: HashMap<(SessionKey, Version), Arc<Record>>,
    ended: usize,
}

#[derive(Clone, Debug)]
struct Slot {
    loaded: Loaded,
    deadline: Timestamp,
    first_user: Option<Arc<str>>,
    /// Ended, and remembered until then.
    over_until: Option<Timestamp>,
}

impl Slot {
    fn is_live(&self, now: Timestamp) -> bool {
        self.over_until.is_none() && now < self.deadline
    }

    fn user(&self) -> Option<&Arc<str>> {
        self.loaded.record.era()?.user()
    }

    fn weight(&self) -> usize {
        if self.over_until.is_none() { self.loaded.record.weight() } else { 0 }
    }
}

/// A fresh subject with a flaw, or with none.
pub(crate) fn subject(flaw: Option<Flaw>) -> Subject {
    let clock = Arc::new(ManualClock::at(Timestamp::from_millis(1_700_000_000_000)));
    let shared = shared(flaw, clock.clone());
    let handle = || Simple { shared: shared.clone(), cache: Mutex::default() };
    Subject::new(handle(), clock)
        .handle(handle())
        .bound(BOUND)
        .byte_bound(BYTE_BOUND)
        .outage(Arc::new(Cut(shared.clone())))
}

/// A fresh store with a flaw, or with none.
pub(crate) fn store(flaw: Option<Flaw>, clock: Arc<ManualClock>) -> Arc<dyn SessionStore> {
    Arc::new(Simple { shared: shared(flaw, clock), cache: Mutex::default() })
}

fn shared(flaw: Option<Flaw>, clock: Arc<ManualClock>) -> Arc<Shared> {
    Arc::new(Shared {
        state: Mutex::default(),
        clock,
        stamps: Stamps::new(77),
        flaw,
        cut: AtomicBool::new(false),
        busy: AtomicBool::new(false),
        drained: AtomicBool::new(false),
    })
}

#[derive(Debug)]
struct Cut(Arc<Shared>);

#[async_trait]
impl Outage for Cut {
    async fn begin(&self) {
        self.0.cut.store(true, SeqCst);
    }

    async fn end(&self) {
        self.0.cut.store(false, SeqCst);
    }
}

async fn give_way() {
    let mut gave_way = false;
    poll_fn(|context| {
        if std::mem::replace(&mut gave_way, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Simple {
    fn has(&self, flaw: Flaw) -> bool {
        self.shared.flaw == Some(flaw)
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        let mut state = self.shared.state.lock().expect("no panic under the lock");
        let now = self.now();
        let forgets_the_expired = self.has(Flaw::CreateRevivesTheExpired);
        state.slots.retain(|_, slot| match slot.over_until {
            Some(until) => now < until,
            None => now < slot.deadline || !forgets_the_expired,
        });
        state
    }

    /// What stands in the way of every operation; and what a flaw leaves in the way.
    async fn enter(&self) -> Result<(), Error> {
        let shuts = self.has(Flaw::DrainClosesTheDoor) || self.has(Flaw::DrainFailsShut);
        let shut = shuts && self.shared.drained.load(SeqCst);
        if self.shared.cut.load(SeqCst) || shut {
            return Err(ErrorKind::Unavailable.into());
        }
        if self.has(Flaw::LeavesALock) {
            if self.shared.busy.swap(true, SeqCst) {
                return Err(ErrorKind::Unavailable.into());
            }
            give_way().await;
            self.shared.busy.store(false, SeqCst);
        }
        Ok(())
    }

    /// When a session in this state is over.
    fn deadline(&self, record: &Record, before: Option<Timestamp>) -> Timestamp {
        let Some(era) = record.era() else { return Timestamp::default() };
        let deadline = era.deadline();
        match (self.shared.flaw, before) {
            (Some(Flaw::OverATickLate), _) => deadline + Duration::from_millis(1),
            (Some(Flaw::OverOnlyOnceSwept), _) => Timestamp::MAX,
            (Some(Flaw::HardDeadlineForgotten), _) => era.last_seen() + era.idle_timeout(),
            (Some(Flaw::FirstDeadlineStays), Some(before)) => before,
            (Some(Flaw::LongestDeadlineStays), Some(before)) => before.max(deadline),
            _ => deadline,
        }
    }

    fn put(&self, state: &mut State, key: &SessionKey, record: Record) -> Loaded {
        state.versions += 1;
        let time = u128::from(self.now().as_millis());
        let version = Version(if self.has(Flaw::VersionIsTheTime) { time } else { state.versions });
        let before = state.slots.get(key).map(|slot| (slot.deadline, slot.first_user.clone()));
        let deadline = self.deadline(&record, before.as_ref().map(|(deadline, _)| *deadline));
        let user = record.era().and_then(|era| era.user().cloned());
        let loaded = Loaded::new(Arc::new(record), version);
        let first_user = before.map_or(user, |(_, user)| user);
        let slot = Slot { loaded: loaded.clone(), deadline, first_user, over_until: None };
        state.slots.insert(*key, slot);
        state.history.insert((*key, version), loaded.record.clone());
        loaded
    }

    fn barred(&self, state: &State, user: Option<&Arc<str>>, began: Timestamp) -> Result<(), Error> {
        let raised = user.and_then(|user| state.barriers.get(&**user)).copied().unwrap_or_default();
        if began < raised.max(state.everybodys) {
            return Err(ErrorKind::Superseded.into());
        }
        Ok(())
    }

    fn create_now(&self, key: &SessionKey, record: Record, options: &CreateOptions) -> Result<Loaded, Error> {
        let now = self.now();
        let mut state = self.state();
        match state.slots.get(key) {
            Some(slot) if slot.over_until.is_some() || !slot.is_live(now) => {
                return Err(ErrorKind::Ended.into());
            }
            Some(_) if self.has(Flaw::CreateOverwrites) => {}
            Some(slot) => {
                let itself = slot.loaded.record.created() == record.created();
                return if itself && !self.has(Flaw::CreateKnowsNotItself) {
                    Ok(slot.loaded.clone())
                } else {
                    Err(ErrorKind::Exists.into())
                };
            }
            None => {}
        }
        if record.over(now).is_some() && !self.has(Flaw::CreateStoresWhatIsOver) {
            return Err(ErrorKind::Ended.into());
        }
        if record.weight() > options.max_weight && !self.has(Flaw::NoLimit) {
            return Err(ErrorKind::TooLarge.into());
        }
        if state.slots.len() >= BOUND && !self.has(Flaw::NoBound) {
            return Err(ErrorKind::Full.into());
        }
        if !self.has(Flaw::CreateIgnoresTheBarrier) {
            self.barred(&state, record.era().and_then(|era| era.user()), options.began)?;
        }
        let loaded = self.put(&mut state, key, record);
        let loaded = self.limited(&mut state, key, loaded, None, options.user_limit);
        let another = self.has(Flaw::CreateAnswersAnotherVersion);
        Ok(if another { Loaded::new(loaded.record, Version::default()) } else { loaded })
    }

    fn upsert(&self, state: &mut State, key: &SessionKey, changes: &Changes) -> Loaded {
        let now = self.now();
        let nonce = changes.era().nonce();
        let mut new = NewRecord::new(changes.operation(), nonce, Verifier::from_bytes([0; 16]), now);
        for (key, _) in changes.values() {
            new = new.value(key, b"upserted".as_slice());
        }
        self.put(state, key, Record::create(new))
    }

    /// The record from which a commit goes out, where a flaw takes another one than that which is stored.
    fn start(
        &self,
        state: &State,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
    ) -> Option<Arc<Record>> {
        let renews = || changes.new_era().is_none() && changes.values().count() == 0;
        if !(self.has(Flaw::RenewalWritesWhatItSaw) && renews()) {
            return None;
        }
        state.history.get(&(*key, version)).cloned()
    }

    fn commit_now(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
        saw: Option<Loaded>,
    ) -> Result<Loaded, Error> {
        let mut state = self.state();
        let Some(slot) = state.slots.get(key).cloned() else {
            return match self.shared.flaw {
                Some(Flaw::CommitUpserts) => Ok(self.upsert(&mut state, key, changes)),
                _ => Err(ErrorKind::Missing.into()),
            };
        };
        if slot.over_until.is_some() && saw.is_none() && !self.has(Flaw::CommitRevivesTheEnded) {
            return Err(ErrorKind::Ended.into());
        }
        if self.has(Flaw::CommitChecksTheVersion) && version != slot.loaded.version {
            return Err(ErrorKind::Conflict.into());
        }
        let held = saw.unwrap_or_else(|| slot.loaded.clone());
        let from = self.start(&state, key, version, changes).unwrap_or_else(|| held.record.clone());
        let Some(next) = self.merged(&state, &held, &from, changes, options)? else {
            return Ok(held);
        };
        let others: usize =
            state.slots.iter().filter(|(own, _)| *own != key).map(|(_, slot)| slot.weight()).sum();
        let grows = next.weight() > held.record.weight();
        if grows && others + next.weight() > BYTE_BOUND && !self.has(Flaw::NoByteBound) {
            return Err(ErrorKind::Full.into());
        }
        if self.has(Flaw::DrainDropsWrites) && self.shared.drained.load(SeqCst) {
            return Ok(Loaded::new(Arc::new(next), held.version));
        }
        let loaded = self.put(&mut state, key, next);
        Ok(self.limited(&mut state, key, loaded, Some(&held.record), options.user_limit))
    }

    /// Ends the sessions of a user that a login made too many.
    fn limited(
        &self,
        state: &mut State,
        key: &SessionKey,
        loaded: Loaded,
        before: Option<&Record>,
        limit: Option<NonZeroUsize>,
    ) -> Loaded {
        let login = |record: &Record| {
            record.era().and_then(|era| Some((era.user()?.clone(), era.authenticated_at())))
        };
        let Some((user, at)) = login(&loaded.record) else { return loaded };
        let renews =
            before.and_then(login) == Some((user.clone(), at)) && !self.has(Flaw::LimitCountsRenewals);
        if renews || self.has(Flaw::LimitLooksFirst) {
            return loaded;
        }
        let ended = self.outnumbered(state, key, &user, limit);
        for key in &ended {
            self.end_now(state, key);
        }
        loaded.with_ended(ended)
    }

    /// The sessions of a user that a login under `key` makes too many.
    fn outnumbered(
        &self,
        state: &State,
        key: &SessionKey,
        user: &str,
        limit: Option<NonZeroUsize>,
    ) -> Vec<SessionKey> {
        let Some(limit) = limit.filter(|_| !self.has(Flaw::NoUserLimit)) else { return Vec::new() };
        let at = |key: &SessionKey| {
            let era = state.slots.get(key).and_then(|slot| slot.loaded.record.era());
            era.and_then(|era| era.authenticated_at())
        };
        let mut keys = self.keys_of(state, user, self.has(Flaw::LimitCountsTheOver));
        keys.retain(|other| other != key || self.has(Flaw::LimitEndsWhoLogsIn));
        keys.sort_by_key(|key| (at(key), *key));
        if self.has(Flaw::LimitEndsTheNewest) {
            keys.reverse();
        }
        let own = usize::from(!self.has(Flaw::LimitEndsWhoLogsIn));
        keys.truncate((keys.len() + own).saturating_sub(limit.get()));
        keys
    }

    /// A login whose limit is judged by what was there before it.
    async fn look_first(
        &self,
        key: &SessionKey,
        user: Option<&str>,
        limit: Option<NonZeroUsize>,
        write: impl FnOnce() -> Result<Loaded, Error>,
    ) -> Result<Loaded, Error> {
        let ended = match user {
            Some(user) if self.has(Flaw::LimitLooksFirst) => {
                let ended = self.outnumbered(&self.state(), key, user, limit);
                give_way().await;
                ended
            }
            _ => return write(),
        };
        let loaded = write()?;
        let mut state = self.state();
        for key in &ended {
            self.end_now(&mut state, key);
        }
        Ok(loaded.with_ended(ended))
    }

    fn merged(
        &self,
        state: &State,
        held: &Loaded,
        from: &Record,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Option<Record>, Error> {
        let stamp = self.shared.stamps.next_after(self.now(), from.latest_stamp());
        // What takes the wall clock takes it: no look at what is there.
        let stamp =
            if self.has(Flaw::CommitTakesTheWallClock) { self.shared.stamps.next(self.now()) } else { stamp };
        let changes = &flaw::rewritten(self.shared.flaw, changes, from, stamp);
        if self.has(Flaw::LoginKnowsNotItself) && from.era().is_some_and(|era| era.id() != changes.era()) {
            return Err(ErrorKind::Superseded.into());
        }
        let next = match from.commit(changes, &self.rules(from, options)) {
            Ok(Some(next)) => next,
            Ok(None) => return Ok(None),
            Err(error) if error.kind() == ErrorKind::Conflict => return self.conflict(error, held, changes),
            Err(error) => return Err(error),
        };
        let user = next.era().and_then(|era| era.user());
        let moves = user != from.era().and_then(|era| era.user());
        if moves && !self.has(Flaw::LoginIgnoresTheBarrier) {
            self.barred(state, user, options.began)?;
        }
        Ok(self.spoiled(from, next, changes))
    }

    fn rules(&self, from: &Record, options: &CommitOptions) -> CommitRules {
        let lenient = self.has(Flaw::CommitRevivesTheExpired) || self.has(Flaw::OverOnlyOnceSwept);
        let now = match from.era() {
            Some(era) if lenient => self.now().min(era.last_seen()),
            _ => self.now(),
        };
        let rules = options.rules(now);
        match self.shared.flaw {
            Some(Flaw::NoLimit) => rules.max_weight(usize::MAX),
            Some(Flaw::OverheadCounts) => rules.value_overhead(0),
            _ => rules,
        }
    }

    fn conflict(&self, error: Error, held: &Loaded, changes: &Changes) -> Result<Option<Record>, Error> {
        let blind =
            changes.values().all(|(_, change)| !matches!(change, abide_core::ValueChange::Update { .. }));
        if blind && self.has(Flaw::LateSetsDropped) {
            return Ok(None);
        }
        if self.has(Flaw::StaleCurrent) {
            return Err(error.with_current(Loaded::new(held.record.clone(), Version::default())));
        }
        Err(error.with_current(held.clone()))
    }

    /// The record that a merge made, and what a flaw makes of it.
    fn spoiled(&self, from: &Record, next: Record, changes: &Changes) -> Option<Record> {
        let newest = |record: &Record| record.era().map_or(0, |era| era.secrets().newest());
        match self.shared.flaw {
            Some(Flaw::CommitStripsUnknownFields) => Some(surgery::without_unknown_fields(&next)),
            Some(Flaw::LoginLeavesTheOldSecret) if changes.new_era().is_some() => {
                Some(surgery::with_secrets_of(from, &next))
            }
            Some(Flaw::RenewalConfirmsItself) if newest(&next) > newest(from) => {
                let mut confirmation = Changes::new(changes.operation(), changes.era());
                confirmation.confirm(newest(&next), self.now());
                next.commit(&confirmation, &CommitRules::at(self.now())).ok().flatten().or(Some(next))
            }
            Some(Flaw::OnlyValuesCount) => {
                let shown = changes.values().count() > 0 || changes.new_era().is_some();
                (shown || newest(&next) > newest(from)).then_some(next)
            }
            _ => Some(next),
        }
    }

    /// One commit for each value, and turns for others in between.
    async fn commit_in_parts(
        &self,
        key: &SessionKey,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<(), Error> {
        let count = changes.values().count();
        if count < 2 || changes.new_era().is_some() {
            return Ok(());
        }
        for (name, change) in changes.values().take(count - 1) {
            let mut part = Changes::new(changes.operation(), changes.era());
            part.change(name.into(), change.clone());
            self.commit_now(key, Version::default(), &part, options, None)?;
            give_way().await;
        }
        Ok(())
    }

    fn end_now(&self, state: &mut State, key: &SessionKey) -> bool {
        let now = self.now();
        state.ended += 1;
        let was_live = state.slots.get(key).is_some_and(|slot| slot.is_live(now));
        let soon = self.has(Flaw::EndIsSoonForgotten);
        let until = now + if soon { REMEMBERED / 2 } else { REMEMBERED };
        if self.has(Flaw::EndOnlyRemoves) {
            state.slots.remove(key);
            return was_live;
        }
        let tombstone = Record::ended(self.shared.stamps.next(now), now, EndReason::LoggedOut);
        let missing = || Slot {
            loaded: Loaded::new(Arc::new(tombstone), Version::default()),
            deadline: now,
            first_user: None,
            over_until: None,
        };
        if state.slots.contains_key(key) || !self.has(Flaw::EndOnlyRemovesWhatItSaw) {
            state.slots.entry(*key).or_insert_with(missing).over_until = Some(until);
        }
        was_live
    }

    /// The keys of a user's sessions, in order; with those that are over where `all`.
    fn keys_of(&self, state: &State, user: &str, all: bool) -> Vec<SessionKey> {
        let now = self.now();
        let is_theirs = |slot: &Slot| match self.shared.flaw {
            Some(Flaw::ListOfEverybody) => slot.user().is_some(),
            Some(Flaw::ListByFirstUser) => slot.first_user.as_deref() == Some(user),
            _ => slot.user().map(|user| &**user) == Some(user),
        };
        let ended = self.has(Flaw::ListKeepsTheEnded);
        let shows = |slot: &Slot| all || slot.is_live(now) || (ended && now < slot.deadline);
        state.slots.iter().filter(|(_, slot)| is_theirs(slot) && shows(slot)).map(|(key, _)| *key).collect()
    }

    fn page(&self, state: &State, user: &str, page: &Page) -> UserPage {
        let counts_expired = self.has(Flaw::PagesCountTheExpired);
        let mut keys = self.keys_of(state, user, counts_expired);
        if let Some(after) = page.after {
            if self.has(Flaw::PagesLeanOnASession) && !keys.contains(&after) {
                return UserPage::default();
            }
            let repeats = self.has(Flaw::PagesRepeatTheirLast);
            keys.retain(|key| *key > after || (repeats && *key == after && page.limit > 1));
        }
        let next = (keys.len() > page.limit).then(|| keys[page.limit - 1]);
        keys.truncate(page.limit);
        let entry = |key: &SessionKey| UserSession::of(*key, &state.slots[key].loaded.record);
        let live = |key: &&SessionKey| !counts_expired || state.slots[*key].is_live(self.now());
        UserPage::new(keys.iter().filter(live).filter_map(entry).collect(), next)
    }

    fn cached(&self, key: &SessionKey, load: impl FnOnce() -> Option<Loaded>) -> Option<Loaded> {
        if self.has(Flaw::LoadsAreCached) {
            return self
                .cache
                .lock()
                .expect("no panic under the lock")
                .entry(*key)
                .or_insert_with(load)
                .clone();
        }
        load()
    }

    fn load_now(&self, key: &SessionKey) -> Option<Loaded> {
        let now = self.now();
        let mut state = self.state();
        let slot = state.slots.get(key).cloned()?;
        if self.has(Flaw::EndedSessionsLoad) && slot.over_until.is_some() {
            return Some(slot.loaded);
        }
        if !slot.is_live(now) {
            return None;
        }
        if self.has(Flaw::LoadSlides) {
            let era = slot.loaded.record.era()?;
            let mut slide = Changes::new(self.shared.stamps.next(now), era.id());
            slide.seen_at(now);
            if let Ok(Some(next)) = slot.loaded.record.commit(&slide, &CommitRules::at(now)) {
                return Some(self.put(&mut state, key, next));
            }
        }
        Some(slot.loaded)
    }
}

#[async_trait]
impl SessionStore for Simple {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        self.enter().await?;
        let user = record.era().and_then(|era| era.user()).map(|user| user.to_string());
        let write = || self.create_now(key, record, options);
        self.look_first(key, user.as_deref(), options.user_limit, write).await
    }

    async fn load(&self, key: &SessionKey, _options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        if self.has(Flaw::OutageLooksEmpty) && self.shared.cut.load(SeqCst) {
            return Ok(None);
        }
        self.enter().await?;
        Ok(self.cached(key, || self.load_now(key)))
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        if self.shared.cut.load(SeqCst) {
            return Peek::Ask;
        }
        if self.has(Flaw::PeekGivesUpWhileBusy) && self.shared.busy.load(SeqCst) {
            return Peek::Absent;
        }
        let shown = match self.shared.flaw {
            Some(Flaw::PeekShowsWhatEnded) => self.state().slots.get(key).map(|slot| slot.loaded.clone()),
            _ => self.cached(key, || self.load_now(key)),
        };
        shown.map_or(Peek::Absent, Peek::Found)
    }

    async fn commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        if self.has(Flaw::OutageHidesWhatWasDone) && self.shared.cut.load(SeqCst) {
            self.commit_now(key, version, changes, options, None)?;
        }
        self.enter().await?;
        let mut saw = None;
        match self.shared.flaw {
            Some(Flaw::CommitWritesWhatItSaw) => {
                let slot = self.state().slots.get(key).filter(|slot| slot.over_until.is_none()).cloned();
                saw = slot.map(|slot| slot.loaded);
                give_way().await;
            }
            Some(Flaw::CommitHappensInParts) => self.commit_in_parts(key, changes, options).await?,
            Some(Flaw::PeekGivesUpWhileBusy | Flaw::TriedCommitGivesUpWhileBusy) => {
                self.shared.busy.store(true, SeqCst);
                give_way().await;
                self.shared.busy.store(false, SeqCst);
            }
            _ => {}
        }
        let user = changes.new_era().and_then(|new| new.who()).map(|user| &**user);
        let write = || self.commit_now(key, version, changes, options, saw);
        self.look_first(key, user, options.user_limit, write).await
    }

    fn try_commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        if self.shared.cut.load(SeqCst) {
            return None;
        }
        if self.has(Flaw::TriedCommitGivesUpWhileBusy) && self.shared.busy.load(SeqCst) {
            return Some(Err(ErrorKind::Missing.into()));
        }
        let held = self.load_now(key);
        let tried = self.commit_now(key, version, changes, options, None);
        match self.shared.flaw {
            Some(Flaw::TriedCommitIsOnlySaid) if tried.is_ok() => {
                self.state().slots.get_mut(key)?.loaded = held?;
                Some(tried)
            }
            Some(Flaw::TriedCommitIsDenied) => None,
            Some(Flaw::TriedCommitUpserts) if tried.is_err() => {
                Some(Ok(self.upsert(&mut self.state(), key, changes)))
            }
            _ => Some(tried),
        }
    }

    async fn end(&self, key: &SessionKey, _reason: EndReason, _: &EndOptions) -> Result<EndOutcome, Error> {
        self.enter().await?;
        let mut state = self.state();
        let ended = state.slots.get(key).is_some_and(|slot| slot.over_until.is_some());
        if ended && self.has(Flaw::EndOfTheEndedIsAnError) {
            return Err(ErrorKind::Ended.into());
        }
        let was_live = self.end_now(&mut state, key);
        Ok(EndOutcome::new(was_live || self.has(Flaw::EndAlwaysWasLive)))
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        self.enter().await?;
        Ok(self.page(&self.state(), user, page))
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        self.enter().await?;
        let now = self.now();
        let mut state = self.state();
        state.barriers.insert(user.to_owned(), now);
        let mut keys = self.keys_of(&state, user, self.has(Flaw::EndUserCountsEverything));
        match self.shared.flaw {
            Some(Flaw::EndUserEndsEverybody) => keys = state.slots.keys().copied().collect(),
            Some(Flaw::EndUserEndsAPage) => keys.truncate(100),
            _ => {}
        }
        keys.retain(|key| Some(*key) != options.except || self.has(Flaw::EndUserSparesNobody));
        let live = keys.iter().filter(|key| self.end_now(&mut state, key)).count();
        let count = if self.has(Flaw::EndUserCountsEverything) { keys.len() } else { live };
        Ok(count as u64)
    }

    async fn end_all(&self, _reason: EndReason) -> Result<u64, Error> {
        self.enter().await?;
        let mut state = self.state();
        state.everybodys = self.now();
        let mut keys: Vec<_> = state.slots.keys().copied().collect();
        if self.has(Flaw::EndAllSparesNobodys) {
            keys.retain(|key| state.slots[key].user().is_some());
        }
        let live = keys.iter().filter(|key| self.end_now(&mut state, key)).count();
        if self.has(Flaw::EndAllOnlyRemoves) {
            state.slots.clear();
        }
        Ok(live as u64)
    }

    async fn ready(&self) -> Readiness {
        let cut = self.shared.cut.load(SeqCst) && !self.has(Flaw::OutageLooksReady);
        if cut || self.has(Flaw::NeverReady) {
            return Readiness::NotReady("out of reach".into());
        }
        Readiness::Ready
    }

    fn capabilities(&self) -> Capabilities {
        let grown = self.has(Flaw::CapabilitiesGrow) && self.state().ended > 0;
        let all = Capabilities::none().shared(true).peeks(!self.has(Flaw::PeeksWithoutSayingSo));
        all.durable(grown)
    }

    fn metrics(&self) -> Vec<Metric> {
        let state = self.state();
        let ended = state.ended as u64;
        let counted = if self.has(Flaw::MetricsCountDown) { u64::MAX - ended } else { ended };
        let ended = Metric::counter("ended", "Sessions that were ended", counted);
        let sessions = Metric::gauge("sessions", "Sessions that are held", state.slots.len() as u64);
        if self.has(Flaw::MetricsRepeatAName) { vec![ended, sessions, ended] } else { vec![ended, sessions] }
    }

    async fn drain(&self, _deadline: Duration) -> Result<Drained, Error> {
        if self.shared.cut.load(SeqCst) {
            self.shared.drained.store(self.has(Flaw::DrainFailsShut), SeqCst);
            return Err(ErrorKind::Unavailable.into());
        }
        self.shared.drained.store(true, SeqCst);
        let held = self.state().slots.len() as u64;
        Ok(match self.shared.flaw {
            Some(Flaw::DrainCountsEverything) => Drained::new(held, 0),
            Some(Flaw::DrainLeavesBehind) => Drained::new(0, held),
            _ => Drained::default(),
        })
    }
}
