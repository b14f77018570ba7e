//! Which keys are due when: to expire, or to be forgotten.
//!
//! A slide moves a deadline without touching this list: a key stays where it was filed, and is filed again when its
//! time comes and it turns out to live. Only a deadline that comes *earlier* is filed at once. That keeps a read free
//! of bookkeeping, and costs 16 bytes a session.

use std::collections::BTreeMap;

use abide_core::{SessionKey, Timestamp};

/// Keys are filed by windows of this many milliseconds: a session leaves at most this long after its deadline.
const WINDOW: u64 = 10_000;

/// The number of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window(u64);

impl Window {
    /// The first window that lies wholly after `deadline`.
    pub(crate) const fn after(deadline: Timestamp) -> Self {
        Self(deadline.as_millis() / WINDOW + 1)
    }

    const fn at(now: Timestamp) -> Self {
        Self(now.as_millis() / WINDOW)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Due(BTreeMap<Window, Vec<SessionKey>>);

impl Due {
    pub(crate) fn file(&mut self, key: SessionKey, window: Window) {
        self.0.entry(window).or_default().push(key);
    }

    /// The next window that is due at `now`, with its keys.
    pub(crate) fn take(&mut self, now: Timestamp) -> Option<(Window, Vec<SessionKey>)> {
        let first = self.0.first_entry()?;
        (*first.key() <= Window::at(now)).then(|| first.remove_entry())
    }
}
