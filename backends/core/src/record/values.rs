//! The values of an era: key → (stamp, bytes or removed), last writer wins by key.
//!
//! **Invariant.** The entries are sorted by key, and no key stands twice.

use std::fmt;
use std::sync::Arc;

use super::Few;
use crate::name::Name;
use crate::stamp::Stamp;
use crate::time::Timestamp;

/// Bytes that an entry costs beside its key and its value.
const ENTRY_WEIGHT: usize = 48;

/// One value: its bytes or that it was removed, and the write that made it so.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ValueEntry {
    stamp: Stamp,
    /// The last write without a condition, from which a chain of updates led to this value. A set that is older was
    /// in the chain or came before it; one that is newer, and older than `stamp`, was seen by no update.
    root: Stamp,
    bytes: Option<Arc<[u8]>>,
}

impl ValueEntry {
    /// A value that was set or removed without a condition.
    pub(crate) fn blind(stamp: Stamp, bytes: Option<Arc<[u8]>>) -> Self {
        Self { stamp, root: stamp, bytes }
    }

    pub(crate) fn from_parts(stamp: Stamp, root: Stamp, bytes: Option<Arc<[u8]>>) -> Self {
        Self { stamp, root, bytes }
    }

    /// The value that an update made of `seen`.
    pub(crate) fn updated(seen: Option<&Self>, stamp: Stamp, bytes: Option<Arc<[u8]>>) -> Self {
        let root = seen.map_or(Stamp::ZERO, |entry| entry.root);
        Self { stamp, root, bytes }
    }

    /// The write that made it.
    #[must_use]
    pub fn stamp(&self) -> Stamp {
        self.stamp
    }

    pub(crate) fn root(&self) -> Stamp {
        self.root
    }

    /// The same write of other bytes: a wrapper's form of them.
    fn with_bytes(&self, bytes: Option<Arc<[u8]>>) -> Self {
        Self { bytes, ..self.clone() }
    }

    /// The bytes, `None` where the value was removed.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        self.bytes.as_deref()
    }

    /// The bytes, shared.
    #[must_use]
    pub fn shared(&self) -> Option<&Arc<[u8]>> {
        self.bytes.as_ref()
    }
}

impl fmt::Debug for ValueEntry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.bytes {
            Some(bytes) => write!(f, "{} bytes at {:?}", bytes.len(), self.stamp),
            None => write!(f, "removed at {:?}", self.stamp),
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Values(
    // Many a session holds one value: it lies where the record lies.
    Few<(Name, ValueEntry)>,
);

impl Values {
    /// From entries that a peer or a disk gave: `None` where they are not sorted or a key stands twice.
    pub(crate) fn from_sorted(entries: Vec<(Name, ValueEntry)>) -> Option<Self> {
        let sorted = entries.windows(2).all(|pair| pair[0].0 < pair[1].0);
        sorted.then(|| Self(entries.into()))
    }

    pub(crate) fn get(&self, key: &str) -> Option<&ValueEntry> {
        self.find(key).ok().map(|at| &self.0[at].1)
    }

    pub(crate) fn iter(&self) -> impl ExactSizeIterator<Item = (&Name, &ValueEntry)> {
        self.0.iter().map(|(key, entry)| (key, entry))
    }

    /// Replaces or adds an entry, whatever was there.
    pub(crate) fn put(&mut self, key: Name, entry: ValueEntry) {
        match self.find(&key) {
            Ok(at) => self.0[at].1 = entry,
            Err(at) => self.0.insert(at, (key, entry)),
        }
    }

    /// Keeps the later of what is there and `entry`.
    pub(crate) fn join_one(&mut self, key: &Name, entry: &ValueEntry) {
        match self.find(key) {
            Ok(at) if self.0[at].1 >= *entry => {}
            Ok(at) => self.0[at].1 = entry.clone(),
            Err(at) => self.0.insert(at, (key.clone(), entry.clone())),
        }
    }

    pub(crate) fn retain(&mut self, mut keep: impl FnMut(&str, &ValueEntry) -> bool) {
        self.0.edit(|entries| entries.retain(|(key, entry)| keep(key, entry)));
    }

    /// Puts what `map` makes of each value in its place; the stamps stay.
    pub(crate) fn map<E>(
        &mut self,
        mut map: impl FnMut(&Name, &Arc<[u8]>) -> Result<Option<Arc<[u8]>>, E>,
    ) -> Result<(), E> {
        for (key, entry) in self.0.iter_mut() {
            if let Some(bytes) = &entry.bytes {
                *entry = entry.with_bytes(map(key, bytes)?);
            }
        }
        Ok(())
    }

    /// Forgets removals from before `horizon`: no write that is older can still arrive.
    pub(crate) fn forget_removals(&mut self, horizon: Timestamp) {
        let is_forgotten = |entry: &ValueEntry| entry.bytes.is_none() && entry.stamp.at() < horizon;
        // Hardly ever there is one.
        if self.0.iter().any(|(_, entry)| is_forgotten(entry)) {
            self.retain(|_, entry| !is_forgotten(entry));
        }
    }

    /// How many are there, removals aside.
    pub(crate) fn present(&self) -> usize {
        self.0.iter().filter(|(_, entry)| entry.bytes.is_some()).count()
    }

    pub(crate) fn weight(&self) -> usize {
        self.0.iter().map(|(key, entry)| Self::weight_of(key, entry)).sum()
    }

    pub(crate) fn weight_of(key: &str, entry: &ValueEntry) -> usize {
        ENTRY_WEIGHT + key.len() + entry.bytes().map_or(0, <[u8]>::len)
    }

    fn find(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| (**known).cmp(key))
    }
}
