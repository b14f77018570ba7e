//! What was changed and not yet committed.
//!
//! Every change has a revision, so that a commit settles just what it took along: another clone of the session may
//! change more while the commit is under way.

use std::sync::Arc;
use std::time::Duration;

use abide_core::Name;
use smallvec::SmallVec;

type Bytes = Arc<[u8]>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Revision(u64);

#[derive(Debug)]
struct Entry {
    key: Name,
    /// `None` removes.
    value: Option<Bytes>,
    revision: Revision,
}

#[derive(Debug, Default)]
pub(super) struct Pending {
    entries: SmallVec<[Entry; 1]>,
    cleared: Option<Revision>,
    idle_timeout: Option<(Duration, Revision)>,
    revision: Revision,
}

impl Pending {
    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty() && self.cleared.is_none() && self.idle_timeout.is_none()
    }

    pub(super) fn revision(&self) -> Revision {
        self.revision
    }

    pub(super) fn insert(&mut self, key: &str, value: Bytes) {
        self.put(key, Some(value));
    }

    pub(super) fn remove(&mut self, key: &str) {
        self.put(key, None);
    }

    pub(super) fn clear(&mut self) {
        self.entries.clear();
        self.cleared = Some(self.advance());
    }

    pub(super) fn set_idle_timeout(&mut self, timeout: Duration) {
        self.idle_timeout = Some((timeout, self.advance()));
    }

    /// What reading `key` finds here: a value, its removal, or nothing said.
    pub(super) fn value(&self, key: &str) -> Option<Option<&Bytes>> {
        match self.entries.iter().find(|entry| &*entry.key == key) {
            Some(entry) => Some(entry.value.as_ref()),
            None => self.cleared.map(|_| None),
        }
    }

    pub(super) fn is_cleared(&self) -> bool {
        self.cleared.is_some()
    }

    /// Whether everything was cleared up to `revision`.
    pub(super) fn is_cleared_until(&self, revision: Revision) -> bool {
        self.cleared.is_some_and(|cleared| cleared <= revision)
    }

    /// The idle timeout as of `revision`.
    pub(super) fn idle_timeout_until(&self, revision: Revision) -> Option<Duration> {
        self.idle_timeout.filter(|(_, since)| *since <= revision).map(|(timeout, _)| timeout)
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&Name, Option<&Bytes>)> {
        self.entries.iter().map(|entry| (&entry.key, entry.value.as_ref()))
    }

    /// What was changed up to `revision`: what a commit that settles that takes along, and nothing later, else it
    /// would be committed again.
    pub(super) fn entries_until(&self, revision: Revision) -> impl Iterator<Item = (&Name, Option<&Bytes>)> {
        let taken = self.entries.iter().filter(move |entry| entry.revision <= revision);
        taken.map(|entry| (&entry.key, entry.value.as_ref()))
    }

    /// Whether there is a value to store.
    pub(super) fn has_value(&self) -> bool {
        self.entries.iter().any(|entry| entry.value.is_some())
    }

    /// Lets go of what was committed: everything up to `revision`.
    pub(super) fn settle(&mut self, revision: Revision) {
        self.entries.retain(|entry| entry.revision > revision);
        self.cleared = self.cleared.filter(|cleared| *cleared > revision);
        self.idle_timeout = self.idle_timeout.filter(|(_, since)| *since > revision);
    }

    /// Lets go of everything. The revisions go on: a commit that is under way must not settle what comes after.
    pub(super) fn discard(&mut self) {
        *self = Self { revision: self.revision, ..Self::default() };
    }

    fn put(&mut self, key: &str, value: Option<Bytes>) {
        let revision = self.advance();
        match self.entries.iter_mut().find(|entry| &*entry.key == key) {
            Some(entry) => {
                entry.value = value;
                entry.revision = revision;
            }
            None => self.entries.push(Entry { key: key.into(), value, revision }),
        }
    }

    fn advance(&mut self) -> Revision {
        self.revision.0 += 1;
        self.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_under_way_does_not_settle_what_was_changed_after_a_discard() {
        let mut pending = Pending::default();
        pending.insert("a", b"1".as_slice().into());
        pending.insert("b", b"2".as_slice().into());
        let taken = pending.revision();
        pending.discard();
        pending.insert("c", b"3".as_slice().into());
        pending.settle(taken);
        assert!(pending.value("c").is_some());
    }
}
