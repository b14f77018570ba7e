//! What writes come to: creations, commits, limits on logins, ends; and what the flaws make of them.

use std::num::NonZeroUsize;

use super::*;

impl Simple {
    pub(super) fn create_now(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
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

    pub(super) fn upsert(&self, state: &mut State, key: &SessionKey, changes: &Changes) -> Loaded {
        let now = self.now();
        let nonce = changes.era().nonce();
        let mut new = NewRecord::new(changes.operation(), nonce, Verifier::from_bytes([0; 16]), now);
        for (key, _) in changes.values() {
            new = new.value(key, b"upserted".as_slice());
        }
        self.put(state, key, Record::create(new))
    }

    /// The record from which a commit goes out, where a flaw takes another one than that which is stored.
    pub(super) fn start(
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

    pub(super) fn commit_now(
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
    pub(super) fn limited(
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
    pub(super) fn outnumbered(
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
    pub(super) async fn look_first(
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

    pub(super) fn merged(
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

    pub(super) fn rules(&self, from: &Record, options: &CommitOptions) -> CommitRules {
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

    pub(super) fn conflict(
        &self,
        error: Error,
        held: &Loaded,
        changes: &Changes,
    ) -> Result<Option<Record>, Error> {
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
    pub(super) fn spoiled(&self, from: &Record, next: Record, changes: &Changes) -> Option<Record> {
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
    pub(super) async fn commit_in_parts(
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

    pub(super) fn end_now(&self, state: &mut State, key: &SessionKey) -> bool {
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
}
