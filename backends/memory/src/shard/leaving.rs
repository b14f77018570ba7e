//! How sessions leave a shard: ended, expired, evicted.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Error, Record, SessionKey, Timestamp};

use super::slot::{Slot, State};
use super::{Context, Shard, is_of, leave};
use crate::bounds::{Amount, Turn};
use crate::due::Window;
use crate::table::Position;

/// How long an end is remembered, and a creation whose session expired before.
const END_REMEMBERED: Duration = Duration::from_secs(600);

/// What a sweep came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Swept {
    /// How many sessions expired.
    pub(crate) expired: usize,
    /// Whether all that was due was looked at.
    pub(crate) done: bool,
}

impl Shard {
    /// Ends a session, and remembers that. Answers whether it was live.
    pub(crate) fn end(&mut self, key: &SessionKey, context: Context<'_>) -> Result<bool, Error> {
        self.check_open()?;
        Ok(self.end_now(key, context))
    }

    fn end_now(&mut self, key: &SessionKey, context: Context<'_>) -> bool {
        let until = context.now + END_REMEMBERED;
        let window = Window::after(until);
        let found = self.slots.position(key).and_then(|at| Some((at, self.slots.at_mut(at)?)));
        let Some((at, slot)) = found else {
            let at = self.slots.insert(*key, Slot::new(State::Over { until }, window));
            self.due.file(at, window);
            self.remember_end(*key, context);
            return false;
        };
        let State::Held { record, .. } = std::mem::replace(&mut slot.state, State::Over { until }) else {
            return false;
        };
        if window < slot.window {
            slot.window = window;
            self.due.file(at, window);
        }
        self.let_go(key, &record, context);
        self.remember_end(*key, context);
        record.over(context.now).is_none()
    }

    /// Ends a session where it is still that user's: between the list and this look it may have become another's.
    pub(crate) fn end_of(
        &mut self,
        key: &SessionKey,
        user: &str,
        context: Context<'_>,
    ) -> Result<bool, Error> {
        self.check_open()?;
        let theirs = self.load(key, context.now).is_some_and(|loaded| is_of(&loaded.record, user));
        Ok(theirs && self.end_now(key, context))
    }

    pub(crate) fn end_all(&mut self, context: Context<'_>) -> Result<u64, Error> {
        self.check_open()?;
        let held = self.slots.iter().filter(|(_, _, slot)| slot.held().is_some());
        let keys: Vec<_> = held.map(|(_, key, _)| *key).collect();
        Ok(keys.iter().map(|key| u64::from(self.end_now(key, context))).sum())
    }

    /// Lets go of what is past its deadline, of up to `most` keys.
    pub(crate) fn sweep(&mut self, most: usize, context: Context<'_>) -> Swept {
        let mut swept = Swept { expired: 0, done: false };
        for _ in 0..most {
            let Some((window, at)) = self.due.next(context.now) else {
                swept.done = true;
                break;
            };
            swept.expired += usize::from(self.visit(at, window, context));
        }
        self.shrink_if_sparse();
        swept
    }

    /// Lets go of all that is past its deadline, to the millisecond. Looks at every key that is due soon.
    pub(crate) fn sweep_exactly(&mut self, context: Context<'_>) {
        for (window, at) in self.due.take_all(context.now) {
            self.visit(at, window, context);
        }
        self.shrink_if_sparse();
    }

    /// Gives memory back after a wave of sessions left. Never while keys are looked at by their positions.
    fn shrink_if_sparse(&mut self) {
        if self.slots.shrink_if_sparse() {
            self.due.refile(self.slots.iter().map(|(at, _, slot)| (slot.window, at)));
        }
    }

    /// Lets go of a live session that goes on elsewhere.
    pub(crate) fn release(&mut self, key: &SessionKey, context: Context<'_>) -> Option<Arc<Record>> {
        self.check_open().ok()?;
        let record = self.load(key, context.now)?.record;
        self.remove(key, context);
        Some(record)
    }

    /// Gives back what a wave of sessions left behind, where none is held any more.
    pub(crate) fn give_back(&mut self) {
        if self.slots.is_empty() {
            self.slots.shrink();
            self.order.shrink();
            self.ends = VecDeque::new();
        }
    }

    /// Lets go of one session where it is past its deadline. Answers whether it was.
    ///
    /// A young one leaves a mark: it is over because its timeout was shortened, and a creation that was sent twice does
    /// not know of that.
    pub(crate) fn expire(&mut self, key: &SessionKey, context: Context<'_>) -> bool {
        let Some(slot) = self.slots.get_mut(key) else { return false };
        let Some(record) = slot.held().filter(|record| record.over(context.now).is_some()) else {
            return false;
        };
        // Also of a creation whose clock was ahead.
        let until = record.created().at().min(context.now) + END_REMEMBERED;
        if until <= context.now {
            return self.remove(key, context);
        }
        let record = record.clone();
        slot.state = State::Over { until };
        self.let_go(key, &record, context);
        self.remember_end(*key, context);
        true
    }

    /// Looks at a key whose window came. Answers whether its session expired.
    fn visit(&mut self, at: Position, window: Window, context: Context<'_>) -> bool {
        // Filed again under another window since, or gone: this entry is an old one.
        let Some((key, _)) = self.slots.at(at).filter(|(_, slot)| slot.window == window) else {
            return false;
        };
        let key = *key;
        let expired = self.expire(&key, context);
        let Some(slot) = self.slots.at_mut(at) else { return expired };
        let end = slot.leaves_at();
        if end > context.now {
            slot.window = Window::after(end);
            self.due.file(at, slot.window);
        } else {
            self.remove(&key, context);
        }
        expired
    }

    /// Forgets a key. Answers whether a session was held under it.
    fn remove(&mut self, key: &SessionKey, context: Context<'_>) -> bool {
        let slot = self.slots.remove(key);
        match slot.map(|slot| slot.state) {
            Some(State::Held { record, .. }) => {
                self.let_go(key, &record, context);
                true
            }
            _ => {
                self.drop_forgotten_ends();
                self.tidy_due();
                false
            }
        }
    }

    /// Drops what is filed of keys that left before their time came.
    fn tidy_due(&mut self) {
        let slots = &self.slots;
        self.due.tidy(slots.len(), |window, at| slots.at(at).is_some_and(|(_, slot)| slot.window == window));
    }

    /// What a held session leaves behind when it goes.
    fn let_go(&mut self, key: &SessionKey, record: &Arc<Record>, context: Context<'_>) {
        self.held -= 1;
        self.tidy_due();
        if let Some(era) = record.era() {
            leave(era, key, context);
        }
        let Some(bounds) = context.bounds else { return };
        bounds.release(Amount::session(record.weight()));
        let slots = &mut self.slots;
        self.order.tidy(self.held, bounds.floor(self.index), |key| turn(slots.get_mut(key), false));
    }

    /// A bounded store remembers as many ends as it may hold sessions, the latest ones, so that logging in and out
    /// fills no memory. What is forgotten early has its creation long behind it: nothing here answers later than it
    /// acts.
    fn remember_end(&mut self, key: SessionKey, context: Context<'_>) {
        let Some(bounds) = context.bounds else { return };
        self.ends.push_back(key);
        if self.ends.len() > bounds.ends_per_shard() {
            let oldest = self.ends.pop_front();
            if let Some(oldest) = oldest.filter(|key| self.is_over(key)) {
                self.slots.remove(&oldest);
            }
        }
    }

    fn drop_forgotten_ends(&mut self) {
        while self.ends.front().is_some_and(|key| !self.is_over(key)) {
            self.ends.pop_front();
        }
        if self.ends.capacity() > 64 && self.ends.len() * 8 < self.ends.capacity() {
            self.ends.shrink_to(self.ends.len() * 2);
        }
    }

    pub(crate) fn is_over(&self, key: &SessionKey) -> bool {
        self.slots.get(key).is_some_and(|slot| slot.held().is_none())
    }

    /// Of the sessions that nobody is signed in to the one that is idle the longest, and since when.
    pub(crate) fn longest_idle(
        &mut self,
        spared: &SessionKey,
        context: Context<'_>,
    ) -> Option<(Timestamp, SessionKey)> {
        let bounds = context.bounds.filter(|_| !self.frozen)?;
        let slots = &mut self.slots;
        self.order.longest(bounds.floor(self.index), |key| turn(slots.get_mut(key), key == spared))
    }

    /// Lets go of a session for want of room. Nothing is remembered of it: nobody asked for its end, so a creation of
    /// it that is late may still happen, and a flood of new sessions leaves no trace.
    pub(crate) fn evict(&mut self, key: &SessionKey, context: Context<'_>) {
        if !self.expire(key, context) && self.remove(key, context) {
            context.bounds.inspect(|bounds| bounds.count_eviction(context.now));
        }
    }
}

/// What an entry in the order of eviction turns out to be.
fn turn(slot: Option<&mut Slot>, spared: bool) -> Turn {
    let Some(slot) = slot else { return Turn::Gone };
    let last_seen = slot
        .held()
        .and_then(|record| record.era())
        .filter(|era| era.user().is_none())
        .map(|era| era.last_seen());
    match last_seen {
        Some(_) if spared => Turn::Spared,
        Some(at) => Turn::Used(at),
        None => {
            slot.in_order = false;
            Turn::Gone
        }
    }
}
