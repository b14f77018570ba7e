//! A hash table whose entries lie one after the other.
//!
//! The table of a hash map is seldom more than three quarters full, with room for a whole entry in every place. Here it
//! holds four bytes a place, and the entries take no more room than they need. Each has a *position*, which stays the
//! same until it is removed or the table [gives memory back](Table::shrink_if_sparse): what else must find an entry
//! remembers that instead of its key.

use std::borrow::Borrow;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;
use slab::Slab;

/// Where an entry lies.
pub(crate) type Position = u32;

/// The entries grow by a part of this: the whole would be half empty after each growth.
const GROWTH: usize = 16;
/// Fewer are never too many.
const FEW: usize = 64;

#[derive(Debug)]
pub(crate) struct Table<K, V, S> {
    places: HashTable<Position>,
    entries: Slab<(K, V)>,
    hasher: S,
}

impl<K, V, S: Default> Default for Table<K, V, S> {
    fn default() -> Self {
        Self { places: HashTable::new(), entries: Slab::new(), hasher: S::default() }
    }
}

impl<K: Hash + Eq, V, S: BuildHasher> Table<K, V, S> {
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (Position, &K, &V)> {
        self.entries.iter().map(|(at, (key, value))| (position(at), key, value))
    }

    /// Where the entry of a key lies.
    pub(crate) fn position<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<Position>
    where
        K: Borrow<Q>,
    {
        let is_it = |at: &Position| self.entries[*at as usize].0.borrow() == key;
        self.places.find(self.hasher.hash_one(key), is_it).copied()
    }

    pub(crate) fn at(&self, position: Position) -> Option<(&K, &V)> {
        self.entries.get(position as usize).map(|(key, value)| (key, value))
    }

    pub(crate) fn at_mut(&mut self, position: Position) -> Option<&mut V> {
        self.entries.get_mut(position as usize).map(|(_, value)| value)
    }

    pub(crate) fn get<Q: Hash + Eq + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.position(key).map(|at| &self.entries[at as usize].1)
    }

    pub(crate) fn get_mut<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.position(key).map(|at| &mut self.entries[at as usize].1)
    }

    /// Adds an entry under a key that is free.
    pub(crate) fn insert(&mut self, key: K, value: V) -> Position {
        if self.entries.len() == self.entries.capacity() {
            self.entries.reserve_exact(self.entries.len() / GROWTH + 4);
        }
        let hash = self.hasher.hash_one(&key);
        let at = position(self.entries.insert((key, value)));
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.places.insert_unique(hash, at, |at| hasher.hash_one(&entries[*at as usize].0));
        at
    }

    pub(crate) fn remove<Q: Hash + Eq + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let entries = &self.entries;
        let is_it = |at: &Position| entries[*at as usize].0.borrow() == key;
        let (at, _) = self.places.find_entry(self.hasher.hash_one(key), is_it).ok()?.remove();
        Some(self.entries.remove(at as usize).1)
    }

    /// Gives memory back after a wave of entries left, without shrinking at each one. Answers whether it did: then every
    /// position may be another.
    pub(crate) fn shrink_if_sparse(&mut self) -> bool {
        let is_sparse = self.entries.capacity() > FEW && self.len() * 8 < self.entries.capacity();
        if is_sparse {
            self.shrink();
        }
        is_sparse
    }

    /// Gives back all that is not needed. Every position may be another then.
    pub(crate) fn shrink(&mut self) {
        let (places, hasher) = (&mut self.places, &self.hasher);
        self.entries.compact(|(key, _), from, to| {
            if let Some(at) = places.find_mut(hasher.hash_one(&*key), |at| *at as usize == from) {
                *at = position(to);
            }
            true
        });
        let entries = &self.entries;
        self.places.shrink_to_fit(|at| hasher.hash_one(&entries[*at as usize].0));
    }
}

fn position(at: usize) -> Position {
    Position::try_from(at).expect("a part of the store holds fewer than four thousand million entries")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    type Numbers = Table<u16, u32, foldhash::fast::RandomState>;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn it_holds_what_a_map_holds_and_finds_each_entry_by_its_position(
            steps in prop::collection::vec((0_u16..300, 0..10_u8), 0..600)
        ) {
            let (mut table, mut map) = (Numbers::default(), HashMap::new());
            for (n, (key, step)) in steps.into_iter().enumerate() {
                match step {
                    0 => table.shrink(),
                    1..=3 => prop_assert_eq!(table.remove(&key), map.remove(&key)),
                    4 => assert!(!table.shrink_if_sparse() || table.entries.capacity() < FEW * 8),
                    _ if map.contains_key(&key) => *table.get_mut(&key).unwrap() = *map.get(&key).unwrap(),
                    _ => {
                        map.insert(key, n as u32);
                        let at = table.insert(key, n as u32);
                        prop_assert_eq!(table.at(at), Some((&key, &(n as u32))));
                    }
                }
                prop_assert_eq!((table.len(), table.is_empty()), (map.len(), map.is_empty()));
            }
            for (key, value) in &map {
                prop_assert_eq!(table.get(key), Some(value));
                prop_assert_eq!(table.at(table.position(key).unwrap()), Some((key, value)));
            }
            prop_assert_eq!(table.iter().count(), map.len());
        }
    }

    #[test]
    fn it_gives_memory_back_where_few_of_many_are_left() {
        let mut table = Numbers::default();
        for key in 0..60_000 {
            table.insert(key, 1);
        }
        assert!((0..60_000).filter(|key| key % 1_000 > 0).all(|key| table.remove(&key).is_some()));
        assert!(table.shrink_if_sparse());
        assert!(table.entries.capacity() < 200 && table.places.capacity() < 200);
        assert!((0..60).all(|n| table.get(&(n * 1_000)) == Some(&1)));
    }
}
