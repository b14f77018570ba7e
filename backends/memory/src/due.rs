//! Which keys are due when: to expire, or to be forgotten.
//!
//! A slide moves a deadline without touching this list: a key stays where it was filed, and is filed again when its
//! time comes and it turns out to live. Only a deadline that comes *earlier* is filed at once. That keeps a read free
//! of bookkeeping, and costs four bytes a session, for a key is known by the position of its slot.

use std::collections::BTreeMap;

use abide_core::Timestamp;

use crate::table::Position;

/// Keys are filed by windows of this many milliseconds: a session leaves at most this long after its deadline.
const WINDOW: u64 = 10_000;

/// The number of a window. The last one begins in the year 3331, and never comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window(u32);

impl Window {
    /// The first window that lies wholly after `deadline`.
    pub(crate) fn after(deadline: Timestamp) -> Self {
        Self(Self::at(deadline).0.saturating_add(1))
    }

    fn at(now: Timestamp) -> Self {
        Self(u32::try_from(now.as_millis() / WINDOW).unwrap_or(u32::MAX))
    }
}

/// Entries of keys that left before their time are dropped once they are this many more than the others.
const SLACK: usize = 64;

#[derive(Debug, Default)]
pub(crate) struct Due {
    windows: BTreeMap<Window, Vec<Position>>,
    filed: usize,
}

impl Due {
    pub(crate) fn file(&mut self, key: Position, window: Window) {
        self.windows.entry(window).or_default().push(key);
        self.filed += 1;
    }

    /// A key whose window is due at `now`, with that window.
    pub(crate) fn next(&mut self, now: Timestamp) -> Option<(Window, Position)> {
        loop {
            let mut first = self.windows.first_entry()?;
            let window = *first.key();
            if window > Window::at(now) {
                return None;
            }
            let key = first.get_mut().pop();
            if first.get().is_empty() {
                first.remove();
            }
            if let Some(key) = key {
                self.filed -= 1;
                return Some((window, key));
            }
        }
    }

    /// Every key that may be past its deadline at `now`, those in the window that is not over yet among them.
    pub(crate) fn take_all(&mut self, now: Timestamp) -> Vec<(Window, Position)> {
        let later = self.windows.split_off(&Window(Window::after(now).0.saturating_add(1)));
        let near = std::mem::replace(&mut self.windows, later);
        let taken: Vec<_> = near
            .into_iter()
            .flat_map(|(window, keys)| keys.into_iter().map(move |key| (window, key)))
            .collect();
        self.filed -= taken.len();
        taken
    }

    /// Drops the entries that are not `kept`, where they must be more than the `keys` that are.
    pub(crate) fn tidy(&mut self, keys: usize, kept: impl Fn(Window, Position) -> bool) {
        if self.filed <= keys * 2 + SLACK {
            return;
        }
        self.windows.retain(|window, filed| {
            filed.retain(|key| kept(*window, *key));
            // Whoever took the place of one that left may be filed under the same window.
            filed.sort_unstable();
            filed.dedup();
            filed.shrink_to_fit();
            !filed.is_empty()
        });
        self.filed = self.windows.values().map(Vec::len).sum();
    }

    /// Files these and nothing else: every key is known by another position.
    pub(crate) fn refile(&mut self, keys: impl Iterator<Item = (Window, Position)>) {
        *self = Self::default();
        keys.for_each(|(window, key)| self.file(key, window));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_comes_once_its_window_is_over_and_not_before() {
        let mut due = Due::default();
        let deadline = Timestamp::from_millis(12_345);
        due.file(1, Window::after(deadline));
        assert!(due.next(Timestamp::from_millis(19_999)).is_none());
        let found = due.next(Timestamp::from_millis(20_000));
        assert_eq!(found, Some((Window::after(deadline), 1)));
        assert!(due.next(Timestamp::MAX).is_none() && due.windows.is_empty() && due.filed == 0);
    }

    #[test]
    fn all_that_may_be_past_its_deadline_is_taken_and_no_more() {
        let mut due = Due::default();
        for (n, millis) in [(1, 5_000), (2, 12_000), (3, 19_999), (4, 20_000)] {
            due.file(n, Window::after(Timestamp::from_millis(millis)));
        }
        let taken: Vec<_> =
            due.take_all(Timestamp::from_millis(13_000)).into_iter().map(|(_, key)| key).collect();
        assert_eq!(taken, [1, 2, 3]);
        assert_eq!(due.next(Timestamp::from_millis(60_000)).map(|(_, key)| key), Some(4));
    }

    #[test]
    fn keys_that_left_before_their_time_take_no_more_than_those_that_are_there() {
        let mut due = Due::default();
        for n in 0..200 {
            due.file(n, Window::after(Timestamp::from_millis(u64::from(n) * 1_000)));
            due.tidy(10, |_, key| key % 20 == 0);
            assert!(due.filed <= 10 * 2 + SLACK + 1, "{}", due.filed);
        }
        let left = std::iter::from_fn(|| due.next(Timestamp::MAX)).filter(|(_, key)| key % 20 == 0);
        assert_eq!(left.count(), 10);
    }

    #[test]
    fn keys_that_take_the_places_of_others_are_filed_once() {
        let mut due = Due::default();
        for _ in 0..1_000 {
            due.file(7, Window::after(Timestamp::from_millis(5_000)));
            due.tidy(1, |_, _| true);
            assert!(due.filed <= 2 + SLACK + 1, "{}", due.filed);
        }
    }

    #[test]
    fn a_deadline_beyond_the_last_window_never_comes_due() {
        let mut due = Due::default();
        due.file(1, Window::after(Timestamp::MAX));
        assert!(due.next(Timestamp::from_millis(4_000_000_000_000)).is_none());
    }
}
