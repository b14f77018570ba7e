//! Who may come in at once.
//!
//! **Invariant.** No more connections wait for their handshake than the bound, and no more come from one address than its
//! bound. Past a bound the oldest that waits goes, of the address that has the most: whoever connects and says nothing
//! makes room for those who do not take as long, and no address takes the room of another one.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use super::settings::Limits;

#[derive(Debug)]
pub(super) struct Door {
    state: Mutex<State>,
    waiting: usize,
    per_address: usize,
    linked: usize,
}

#[derive(Debug, Default)]
struct State {
    next: u64,
    /// In the order in which they came.
    waiting: BTreeMap<u64, (IpAddr, CancellationToken)>,
    linked: HashMap<u64, IpAddr>,
    per_address: HashMap<IpAddr, usize>,
}

/// A connection's place. It is free again when this goes.
#[derive(Debug)]
pub(super) struct Place {
    door: Arc<Door>,
    number: u64,
    /// Somebody else needs the place.
    pub(super) evicted: CancellationToken,
}

impl Door {
    pub(super) fn new(limits: &Limits) -> Self {
        let (waiting, per_address, linked) = (limits.handshakes, limits.per_address, limits.links);
        Self { state: Mutex::default(), waiting, per_address, linked }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets a connection in to wait for its handshake.
    pub(super) fn admit(self: &Arc<Self>, from: IpAddr) -> Option<Place> {
        let mut state = self.state();
        if state.per_address.get(&from).is_some_and(|count| *count >= self.per_address) {
            let oldest = state.oldest_of(from)?;
            state.remove(oldest);
        } else if state.waiting.len() >= self.waiting {
            let oldest = state.busiest().and_then(|busiest| state.oldest_of(busiest))?;
            state.remove(oldest);
        }
        let (number, evicted) = (state.next, CancellationToken::new());
        state.next += 1;
        state.waiting.insert(number, (from, evicted.clone()));
        *state.per_address.entry(from).or_default() += 1;
        Some(Place { door: self.clone(), number, evicted })
    }
}

impl Place {
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The handshake is done: from here on nobody takes the place. False where somebody did, or there are too many links.
    pub(super) fn is_linked(&self) -> bool {
        let mut state = self.door.state();
        if state.linked.len() >= self.door.linked {
            return false;
        }
        let Some((from, _)) = state.waiting.remove(&self.number) else { return false };
        state.linked.insert(self.number, from);
        true
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.door.state().remove(self.number);
    }
}

impl State {
    fn oldest_of(&self, address: IpAddr) -> Option<u64> {
        self.waiting.iter().find(|(_, (from, _))| *from == address).map(|(number, _)| *number)
    }

    /// The address that has the most waiting.
    fn busiest(&self) -> Option<IpAddr> {
        let mut counts = HashMap::<IpAddr, usize>::new();
        self.waiting.values().for_each(|(from, _)| *counts.entry(*from).or_default() += 1);
        counts.into_iter().max_by_key(|(_, count)| *count).map(|(from, _)| from)
    }

    fn remove(&mut self, number: u64) {
        let waited = self.waiting.remove(&number).map(|(from, evicted)| {
            evicted.cancel();
            from
        });
        let Some(from) = waited.or_else(|| self.linked.remove(&number)) else { return };
        if let Some(count) = self.per_address.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                self.per_address.remove(&from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn door(handshakes: usize, per_address: usize) -> Arc<Door> {
        Arc::new(Door::new(&Limits { handshakes, per_address, ..Limits::default() }))
    }

    fn ip(last: u8) -> IpAddr {
        IpAddr::from([10, 0, 0, last])
    }

    #[test]
    fn past_the_bound_the_oldest_of_the_address_with_the_most_goes() {
        let door = door(3, 100);
        let crowd = [ip(2), ip(1), ip(1)].map(|from| door.admit(from).unwrap());
        let newest = door.admit(ip(3)).unwrap();
        assert_eq!(crowd.each_ref().map(|place| place.evicted.is_cancelled()), [false, true, false]);
        assert!(newest.is_linked() && !crowd[1].is_linked());
    }

    #[test]
    fn an_address_at_its_bound_makes_room_for_itself_alone() {
        let door = door(100, 2);
        let linked = door.admit(ip(1)).unwrap();
        assert!(linked.is_linked());
        let waiting = door.admit(ip(1)).unwrap();
        let next = door.admit(ip(1)).unwrap();
        assert!(waiting.evicted.is_cancelled() && !linked.evicted.is_cancelled());
        assert!(next.is_linked());
        assert!(door.admit(ip(1)).is_none(), "all its connections are links");
        assert!(door.admit(ip(2)).is_some());
        drop(linked);
        assert!(door.admit(ip(1)).is_some());
    }

    #[test]
    fn there_are_no_more_links_than_the_bound() {
        let door = Arc::new(Door::new(&Limits { links: 1, ..Limits::default() }));
        let [first, second] = [ip(1), ip(2)].map(|from| door.admit(from).unwrap());
        assert!(first.is_linked() && !second.is_linked());
        drop(first);
        assert!(second.is_linked(), "it waited meanwhile");
    }

    #[test]
    fn places_are_free_again_when_they_go() {
        let door = door(2, 2);
        for _ in 0..10 {
            let place = door.admit(ip(1)).unwrap();
            assert!(place.is_linked());
        }
        let crowd: Vec<_> = (0..10).map(|n| door.admit(ip(n)).unwrap()).collect();
        drop(crowd);
        let state = door.state();
        assert!(state.waiting.is_empty() && state.linked.is_empty() && state.per_address.is_empty());
    }
}
