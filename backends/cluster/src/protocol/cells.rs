//! The cells of one slot, in the order of their keys and in one piece of memory: they are few, and there are many slots.

use std::iter::Map;
use std::slice;
use std::vec;

use super::replica::Cell;
use super::value::Key;

/// How much room is left after it ran out, beside an eighth.
const ROOM: usize = 1;

type Entry = (Key, Cell);
type AsPair = fn(&Entry) -> (&Key, &Cell);

/// The cells of one slot.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cells(Vec<Entry>);

impl Cells {
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    fn place(&self, key: &Key) -> Result<usize, usize> {
        self.0.binary_search_by(|(known, _)| known.cmp(key))
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Cell> {
        self.place(key).ok().map(|at| &self.0[at].1)
    }

    pub(crate) fn get_mut(&mut self, key: &Key) -> Option<&mut Cell> {
        self.place(key).ok().map(|at| &mut self.0[at].1)
    }

    pub(crate) fn contains_key(&self, key: &Key) -> bool {
        self.place(key).is_ok()
    }

    /// The cell of a key: one that is made where there is none, unless that is refused.
    pub(crate) fn get_or_insert<E>(
        &mut self,
        key: Key,
        make: impl FnOnce() -> Result<Cell, E>,
    ) -> Result<&mut Cell, E> {
        let at = match self.place(&key) {
            Ok(at) => at,
            Err(at) => {
                let cell = make()?;
                if self.0.len() == self.0.capacity() {
                    // Twice as much would be too much: most of it is never used.
                    self.0.reserve_exact(ROOM + self.0.len() / 8);
                }
                self.0.insert(at, (key, cell));
                at
            }
        };
        Ok(&mut self.0[at].1)
    }

    pub(crate) fn iter(&self) -> Map<slice::Iter<'_, Entry>, AsPair> {
        let as_pair: AsPair = |(key, cell)| (key, cell);
        self.0.iter().map(as_pair)
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (&Key, &mut Cell)> {
        self.0.iter_mut().map(|(key, cell)| (&*key, cell))
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &Cell> {
        self.0.iter().map(|(_, cell)| cell)
    }

    pub(crate) fn retain(&mut self, mut stays: impl FnMut(&Cell) -> bool) {
        self.0.retain(|(_, cell)| stays(cell));
        self.0.shrink_to(self.0.len() + ROOM + self.0.len() / 8);
    }
}

impl<'a> IntoIterator for &'a Cells {
    type Item = (&'a Key, &'a Cell);
    type IntoIter = Map<slice::Iter<'a, Entry>, AsPair>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for Cells {
    type Item = Entry;
    type IntoIter = vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use abide_core::Timestamp;
    use proptest::prelude::*;

    use super::*;
    use crate::protocol::ids::Ballot;

    fn key(n: u8) -> Key {
        Key::User([n; 16])
    }

    fn cell(n: u8) -> Cell {
        Cell::above(Ballot::floor(Timestamp::from_millis(n.into())))
    }

    /// Every session takes this much beside its record: who makes it more should know.
    #[test]
    fn a_cell_is_small() {
        assert!(size_of::<Entry>() <= 112, "{} bytes", size_of::<Entry>());
    }

    proptest! {
        #[test]
        fn cells_are_what_a_tree_of_them_is(steps in prop::collection::vec((0_u8..3, 0_u8..20, 0_u8..20), 0..100)) {
            let (mut cells, mut tree) = (Cells::default(), BTreeMap::<Key, u8>::new());
            for (step, n, m) in steps {
                match step {
                    0 => {
                        let refused = cells.get_or_insert(key(n), || Err(())).is_err();
                        prop_assert_eq!(refused, !tree.contains_key(&key(n)));
                    }
                    1 => {
                        let _ = cells.get_or_insert(key(n), || Ok::<_, ()>(cell(m)));
                        tree.entry(key(n)).or_insert(m);
                    }
                    _ => {
                        cells.retain(|held| held.promised != cell(m).promised);
                        tree.retain(|_, held| *held != m);
                    }
                }
                let told: Vec<_> = cells.iter().map(|(key, held)| (*key, held.promised)).collect();
                let expected: Vec<_> = tree.iter().map(|(key, m)| (*key, cell(*m).promised)).collect();
                prop_assert_eq!(told, expected);
                prop_assert_eq!(cells.contains_key(&key(n)), tree.contains_key(&key(n)));
                prop_assert_eq!(cells.get(&key(n)).is_some(), cells.get_mut(&key(n)).is_some());
                prop_assert!(cells.0.capacity() <= cells.len() + ROOM + cells.len() / 8 + 1);
            }
        }
    }
}
