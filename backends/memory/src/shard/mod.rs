//! One shard: the sessions of some keys, and when they are due.
//!
//! **Invariant.** Every slot's key is filed in `due`, at its `window` or earlier.
//!
//! | file | role |
//! |---|---|
//! | `mod` | the operations on a session |
//! | `slot` | what is known of one key |
//! | `leaving` | how sessions leave: ended, expired, evicted |

mod leaving;
mod slot;

use std::collections::VecDeque;
use std::sync::Arc;

use abide_core::{
    Changes, CommitOptions, CreateOptions, Era, Error, ErrorKind, Loaded, Record, SessionKey, Timestamp,
};

use crate::bounds::{Amount, Bounds, IdleOrder, Reserved};
use crate::due::{Due, Window};
use crate::table::Table;
use crate::users::{NewLogin, Users, login_of};
use slot::{Slot, State, loaded};

/// How many keys that are due a creation looks at: more than it files, so that a busy store keeps up by itself.
const SWEPT_BY_CREATE: usize = 16;

type Slots = Table<SessionKey, Slot, foldhash::fast::RandomState>;

#[derive(Debug)]
pub(crate) struct Shard {
    /// Which of the shards.
    index: usize,
    slots: Slots,
    due: Due,
    versions: u64,
    held: usize,
    /// Drained: nothing is written any more.
    frozen: bool,
    /// Of a bounded store: whom to evict.
    order: IdleOrder,
    /// Of a bounded store: the ends that are remembered, the oldest first.
    ends: VecDeque<SessionKey>,
}

/// What a shard's operation is done with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    pub(crate) users: &'a Users,
    pub(crate) bounds: Option<&'a Bounds>,
    pub(crate) now: Timestamp,
}

impl<'a> Context<'a> {
    fn reserve(&self, amount: Amount) -> Result<Option<Reserved<'a>>, Refusal> {
        let Some(bounds) = self.bounds else { return Ok(None) };
        bounds.reserve(amount).map(Some).ok_or(Refusal::NoRoom(amount))
    }

    fn release(&self, amount: Amount) {
        if let Some(bounds) = self.bounds {
            bounds.release(amount);
        }
    }
}

/// Why an operation was not done.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// It cannot be.
    Error(Error),
    /// It can be once there is room. To make some takes other shards' locks, so it is not done under this one's.
    NoRoom(Amount),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl From<ErrorKind> for Refusal {
    fn from(kind: ErrorKind) -> Self {
        Self::Error(kind.into())
    }
}

impl Shard {
    pub(crate) fn new(index: usize) -> Self {
        Self {
            index,
            slots: Slots::default(),
            due: Due::default(),
            versions: 0,
            held: 0,
            frozen: false,
            order: IdleOrder::default(),
            ends: VecDeque::new(),
        }
    }

    /// How many sessions are held, those included that are past their deadline and not yet swept.
    pub(crate) fn held(&self) -> usize {
        self.held
    }

    /// Those that are live.
    pub(crate) fn live(&self, now: Timestamp) -> impl Iterator<Item = (SessionKey, Arc<Record>)> {
        self.slots.iter().filter_map(move |(_, key, slot)| Some((*key, slot.live(now)?.record)))
    }

    /// Refuses every write from now on, or no more.
    pub(crate) fn set_frozen(&mut self, frozen: bool) {
        self.frozen = frozen;
    }

    fn check_open(&self) -> Result<(), Error> {
        if self.frozen { Err(drained()) } else { Ok(()) }
    }

    pub(crate) fn load(&self, key: &SessionKey, now: Timestamp) -> Option<Loaded> {
        self.slots.get(key)?.live(now)
    }

    pub(crate) fn create(
        &mut self,
        key: &SessionKey,
        record: &Arc<Record>,
        options: &CreateOptions,
        context: Context<'_>,
    ) -> Result<Loaded, Refusal> {
        self.check_open()?;
        self.sweep(SWEPT_BY_CREATE, context);
        if let Some(slot) = self.slots.get(key) {
            return Ok(slot.meet(record, context.now)?);
        }
        let Some(era) = record.era().filter(|_| record.over(context.now).is_none()) else {
            return Err(ErrorKind::Ended.into());
        };
        let weight = record.weight();
        if weight > options.max_weight {
            return Err(ErrorKind::TooLarge.into());
        }
        let room = context.reserve(Amount::session(weight))?;
        let outnumbered = match era.user() {
            Some(user) => {
                let login = NewLogin { began: options.began, limit: options.user_limit, stays: false };
                context.users.enter(user, *key, login_of(era), login)?
            }
            None => context.users.admit(options.began).map(|()| Vec::new())?,
        };
        keep(room);
        Ok(self.insert(*key, record, era, context).with_ended(outnumbered))
    }

    /// Takes in a session of a snapshot, whose room is reserved and whose user knows of it.
    ///
    /// Answers whether the key was free.
    pub(crate) fn restore(&mut self, key: SessionKey, record: &Arc<Record>, context: Context<'_>) -> bool {
        match record.era() {
            Some(era) if self.slots.get(&key).is_none() => {
                self.insert(key, record, era, context);
                true
            }
            _ => false,
        }
    }

    fn insert(&mut self, key: SessionKey, record: &Arc<Record>, era: &Era, context: Context<'_>) -> Loaded {
        let window = Window::after(era.deadline());
        self.held += 1;
        self.versions += 1;
        let version = self.versions;
        let slot = Slot::new(State::Held { record: record.clone(), version }, window);
        let at = self.slots.insert(key, slot);
        self.due.file(at, window);
        self.put_in_order(key, era, context);
        loaded(record, version)
    }

    pub(crate) fn commit(
        &mut self,
        key: &SessionKey,
        changes: &Changes,
        options: &CommitOptions,
        context: Context<'_>,
    ) -> Result<Loaded, Refusal> {
        self.check_open()?;
        let at = self.slots.position(key).ok_or(ErrorKind::Missing)?;
        let slot = self.slots.at_mut(at).ok_or(ErrorKind::Missing)?;
        let State::Held { record: held, version } = &mut slot.state else {
            return Err(ErrorKind::Ended.into());
        };
        let outnumbered = match changed(held, key, changes, options, context) {
            Ok(Some(outnumbered)) => outnumbered,
            Ok(None) => return Ok(loaded(held, *version)),
            Err(Refusal::Error(error)) if error.kind() == ErrorKind::Conflict => {
                return Err(error.with_current(loaded(held, *version)).into());
            }
            Err(refusal) => return Err(refusal),
        };
        self.versions += 1;
        *version = self.versions;
        let answer = loaded(held, *version).with_ended(outnumbered);
        let window = answer.record.era().map_or(slot.window, |era| Window::after(era.deadline()));
        if window < slot.window {
            slot.window = window;
            self.due.file(at, window);
        }
        if let Some(era) = answer.record.era() {
            self.put_in_order(*key, era, context);
        }
        Ok(answer)
    }

    /// Files a session of nobody in the order of eviction, unless it is there.
    fn put_in_order(&mut self, key: SessionKey, era: &Era, context: Context<'_>) {
        let Some(bounds) = context.bounds.filter(|_| era.user().is_none()) else { return };
        let Some(slot) = self.slots.get_mut(&key).filter(|slot| !slot.in_order) else { return };
        slot.in_order = true;
        self.order.file(key, era.last_seen(), bounds.floor(self.index));
    }
}

/// Changes a record. Answers the sessions that are too many then, `None` where nothing changed.
fn changed(
    held: &mut Arc<Record>,
    key: &SessionKey,
    changes: &Changes,
    options: &CommitOptions,
    context: Context<'_>,
) -> Result<Option<Vec<SessionKey>>, Refusal> {
    let rules = options.rules(context.now);
    if context.bounds.is_none() && changes.new_era().is_none() {
        return Ok(Record::commit_in_place(held, changes, &rules)?.then(Vec::new));
    }
    let Some(record) = held.commit(changes, &rules)? else { return Ok(None) };
    let weights = context.bounds.map(|_| (held.weight(), record.weight())).unwrap_or_default();
    let room = context.reserve(Amount::growth(weights.0, weights.1))?;
    let outnumbered = match changes.new_era() {
        Some(_) => move_user(held, &record, *key, options, context)?,
        None => Vec::new(),
    };
    keep(room);
    context.release(Amount::growth(weights.1, weights.0));
    *held = Arc::new(record);
    Ok(Some(outnumbered))
}

/// Enters the new era's user before the record shows it, and only then lets the old one go. Answers the sessions that
/// are too many then.
///
/// A session that keeps its user needs no look at the barrier: whoever raised it has this session's key, and ended
/// or spared it. So a request may end its user's other sessions and then renew its own.
fn move_user(
    old: &Record,
    new: &Record,
    key: SessionKey,
    options: &CommitOptions,
    context: Context<'_>,
) -> Result<Vec<SessionKey>, Error> {
    let (Some(before), Some(after)) = (old.era(), new.era()) else { return Ok(Vec::new()) };
    let stays = before.user() == after.user();
    if stays && login_of(before) == login_of(after) {
        return Ok(Vec::new());
    }
    let login = NewLogin { began: options.began, limit: options.user_limit, stays };
    let outnumbered = match after.user() {
        Some(user) => context.users.enter(user, key, login_of(after), login)?,
        None => Vec::new(),
    };
    if !stays {
        leave(before, &key, context);
    }
    Ok(outnumbered)
}

fn leave(era: &Era, key: &SessionKey, context: Context<'_>) {
    if let Some(user) = era.user() {
        context.users.leave(user, key);
    }
}

/// Whether a record's era is that of a user.
pub(crate) fn is_of(record: &Record, user: &str) -> bool {
    record.era().and_then(|era| era.user()).is_some_and(|of| **of == *user)
}

fn keep(room: Option<Reserved<'_>>) {
    if let Some(room) = room {
        room.keep();
    }
}

/// What every write to a drained store is answered.
pub(crate) fn drained() -> Error {
    Error::new(ErrorKind::Unavailable, "the store was drained")
}
