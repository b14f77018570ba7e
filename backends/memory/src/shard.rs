//! One shard: the sessions of some keys, and when they are due.
//!
//! **Invariant.** Every slot's key is filed in `due`, at its `window` or earlier.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, CommitOptions, CreateOptions, Error, ErrorKind, Loaded, Record, SessionKey, Timestamp, Version,
};

use crate::due::{Due, Window};
use crate::users::Users;

/// How long an end is remembered.
const END_REMEMBERED: Duration = Duration::from_secs(600);

#[derive(Debug)]
struct Slot {
    state: State,
    version: u64,
    /// The window under which the key is filed.
    window: Window,
}

#[derive(Debug)]
enum State {
    Held(Arc<Record>),
    /// Ended; remembered until then, so that no late create brings it back.
    Over {
        until: Timestamp,
    },
}

type Slots = HashMap<SessionKey, Slot, foldhash::fast::RandomState>;

#[derive(Debug, Default)]
pub(crate) struct Shard {
    slots: Slots,
    due: Due,
    versions: u64,
    held: usize,
}

impl Shard {
    /// How many sessions are held, those included that are past their deadline and not yet swept.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// How many of them are live.
    pub(crate) fn live(&self, now: Timestamp) -> usize {
        self.slots.values().filter(|slot| slot.live(now).is_some()).count()
    }

    pub(crate) fn load(&self, key: &SessionKey, now: Timestamp) -> Option<Loaded> {
        let slot = self.slots.get(key)?;
        slot.live(now).map(|record| slot.loaded(record))
    }

    pub(crate) fn create(
        &mut self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
        users: &Users,
        now: Timestamp,
    ) -> Result<Loaded, Error> {
        self.sweep(users, now);
        if let Some(slot) = self.slots.get(key) {
            return slot.meet(&record, now);
        }
        let Some(era) = record.era().filter(|_| record.over(now).is_none()) else {
            return Err(ErrorKind::Ended.into());
        };
        if record.weight() > options.max_weight {
            return Err(ErrorKind::TooLarge.into());
        }
        match era.user() {
            Some(user) => users.enter(user, *key, options.began)?,
            None => users.admit(options.began)?,
        }
        let window = Window::after(era.deadline());
        self.due.file(*key, window);
        self.held += 1;
        self.versions += 1;
        let record = Arc::new(record);
        let slot = Slot { state: State::Held(record.clone()), version: self.versions, window };
        let loaded = slot.loaded(&record);
        self.slots.insert(*key, slot);
        Ok(loaded)
    }

    pub(crate) fn commit(
        &mut self,
        key: &SessionKey,
        changes: &Changes,
        options: &CommitOptions,
        users: &Users,
        now: Timestamp,
    ) -> Result<Loaded, Error> {
        let slot = self.slots.get_mut(key).ok_or(ErrorKind::Missing)?;
        let State::Held(held) = &slot.state else {
            return Err(ErrorKind::Ended.into());
        };
        let rules = options.rules(now);
        let record = match held.commit(changes, &rules) {
            Ok(None) => return Ok(slot.loaded(held)),
            Ok(Some(record)) => Arc::new(record),
            Err(error) if error.kind() == ErrorKind::Conflict => {
                return Err(error.with_current(slot.loaded(held)));
            }
            Err(error) => return Err(error),
        };
        if changes.new_era().is_some() {
            move_user(users, held, &record, *key, options.began)?;
        }
        self.versions += 1;
        slot.version = self.versions;
        let window = record.era().map_or(slot.window, |era| Window::after(era.deadline()));
        if window < slot.window {
            slot.window = window;
            self.due.file(*key, window);
        }
        let loaded = slot.loaded(&record);
        slot.state = State::Held(record);
        Ok(loaded)
    }

    /// Ends a session, and remembers that. Answers whether it was live.
    pub(crate) fn end(&mut self, key: &SessionKey, users: &Users, now: Timestamp) -> bool {
        let until = now + END_REMEMBERED;
        let window = Window::after(until);
        let slot = self.slots.entry(*key).or_insert_with(|| {
            self.due.file(*key, window);
            Slot { state: State::Over { until }, version: 0, window }
        });
        let State::Held(record) = std::mem::replace(&mut slot.state, State::Over { until }) else {
            return false;
        };
        // The key stays filed where it was, and is filed again then for what is left of the ten minutes.
        self.held -= 1;
        leave(users, &record, *key);
        record.over(now).is_none()
    }

    /// Ends a session where it is still that user's: between the list and this look it may have become another's.
    pub(crate) fn end_of(&mut self, key: &SessionKey, user: &str, users: &Users, now: Timestamp) -> bool {
        self.load(key, now).is_some_and(|loaded| is_of(&loaded.record, user)) && self.end(key, users, now)
    }

    pub(crate) fn end_all(&mut self, users: &Users, now: Timestamp) -> u64 {
        let keys: Vec<_> =
            self.slots.iter().filter(|(_, slot)| slot.is_held()).map(|(key, _)| *key).collect();
        keys.iter().map(|key| u64::from(self.end(key, users, now))).sum()
    }

    /// Lets go of what is past its deadline. Answers how many sessions expired.
    pub(crate) fn sweep(&mut self, users: &Users, now: Timestamp) -> usize {
        let mut expired = 0;
        while let Some((window, keys)) = self.due.take(now) {
            for key in keys {
                expired += usize::from(self.visit(key, window, users, now));
            }
        }
        expired
    }

    /// Looks at a key whose window came. Answers whether its session expired.
    fn visit(&mut self, key: SessionKey, window: Window, users: &Users, now: Timestamp) -> bool {
        let Some(slot) = self.slots.get_mut(&key) else {
            return false;
        };
        // Filed again under an earlier window since: this entry is the old one.
        if slot.window != window {
            return false;
        }
        let end = slot.leaves_at();
        if end > now {
            slot.window = Window::after(end);
            self.due.file(key, slot.window);
            return false;
        }
        let slot = self.slots.remove(&key);
        shrink_if_sparse(&mut self.slots);
        let Some(State::Held(record)) = slot.map(|slot| slot.state) else {
            return false;
        };
        self.held -= 1;
        leave(users, &record, key);
        true
    }
}

impl Slot {
    fn loaded(&self, record: &Arc<Record>) -> Loaded {
        Loaded::new(record.clone(), Version(u128::from(self.version)))
    }

    /// The record, while its session is live.
    fn live(&self, now: Timestamp) -> Option<&Arc<Record>> {
        match &self.state {
            State::Held(record) if record.over(now).is_none() => Some(record),
            _ => None,
        }
    }

    fn is_held(&self) -> bool {
        matches!(self.state, State::Held(_))
    }

    /// When there is nothing left to remember.
    fn leaves_at(&self) -> Timestamp {
        match &self.state {
            State::Held(record) => record.era().map_or(Timestamp::default(), |era| era.deadline()),
            State::Over { until } => *until,
        }
    }

    /// What a creation of `record` comes to where this slot stands.
    fn meet(&self, record: &Record, now: Timestamp) -> Result<Loaded, Error> {
        match &self.state {
            State::Held(held) if held.over(now).is_some() => Err(ErrorKind::Ended.into()),
            State::Held(held) if held.created() == record.created() => Ok(self.loaded(held)),
            State::Held(_) => Err(ErrorKind::Exists.into()),
            State::Over { .. } => Err(ErrorKind::Ended.into()),
        }
    }
}

/// Enters the new era's user before the record shows it, and only then lets the old one go.
///
/// A session that keeps its user needs no look at the barrier: whoever raised it has this session's key, and ended
/// or spared it. So a request may end its user's other sessions and then renew its own.
fn move_user(
    users: &Users,
    old: &Record,
    new: &Record,
    key: SessionKey,
    began: Timestamp,
) -> Result<(), Error> {
    let user = new.era().and_then(|era| era.user());
    if old.era().and_then(|era| era.user()) == user {
        return Ok(());
    }
    if let Some(user) = user {
        users.enter(user, key, began)?;
    }
    leave(users, old, key);
    Ok(())
}

/// Whether a record's era is that of a user.
pub(crate) fn is_of(record: &Record, user: &str) -> bool {
    record.era().and_then(|era| era.user()).is_some_and(|of| **of == *user)
}

fn leave(users: &Users, record: &Record, key: SessionKey) {
    if let Some(user) = record.era().and_then(|era| era.user()) {
        users.leave(user, key);
    }
}

/// Gives memory back after a wave of sessions left, without shrinking at each one.
fn shrink_if_sparse(slots: &mut Slots) {
    if slots.capacity() > 64 && slots.len() * 8 < slots.capacity() {
        slots.shrink_to(slots.len() * 2);
    }
}
