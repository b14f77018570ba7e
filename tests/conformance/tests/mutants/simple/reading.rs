//! What is read: a session, and the sessions of a user.

use super::*;

impl Simple {
    /// The keys of a user's sessions, in order; with those that are over where `all`.
    pub(super) fn keys_of(&self, state: &State, user: &str, all: bool) -> Vec<SessionKey> {
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

    pub(super) fn page(&self, state: &State, user: &str, page: &Page) -> UserPage {
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

    pub(super) fn cached(&self, key: &SessionKey, load: impl FnOnce() -> Option<Loaded>) -> Option<Loaded> {
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

    pub(super) fn load_now(&self, key: &SessionKey) -> Option<Loaded> {
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
