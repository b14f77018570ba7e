//! The store's operations.

use super::*;

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
