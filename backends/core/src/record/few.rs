//! A list that mostly holds one item, which lies in place then and takes no more room than by itself.

use std::fmt;
use std::ops::{Deref, DerefMut};

/// **Invariant.** `More` is never one.
#[derive(Clone)]
pub(crate) enum Few<T> {
    One(T),
    More(Vec<T>),
}

impl<T> Few<T> {
    pub(crate) fn insert(&mut self, at: usize, item: T) {
        if self.is_empty() {
            *self = Self::One(item);
        } else {
            self.edit(|items| {
                // Few for long: room for one more, not for a list that grows.
                items.reserve_exact(1);
                items.insert(at, item);
            });
        }
    }

    /// Changes the list as a vector.
    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut Vec<T>)) {
        let mut items = match std::mem::take(self) {
            Self::One(item) => {
                let mut items = Vec::with_capacity(2);
                items.push(item);
                items
            }
            Self::More(items) => items,
        };
        change(&mut items);
        *self = items.into();
    }
}

impl<T> From<Vec<T>> for Few<T> {
    fn from(mut items: Vec<T>) -> Self {
        match items.pop() {
            Some(item) if items.is_empty() => Self::One(item),
            Some(item) => {
                items.push(item);
                Self::More(items)
            }
            None => Self::More(items),
        }
    }
}

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self::More(Vec::new())
    }
}

impl<T> Deref for Few<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        match self {
            Self::One(item) => std::slice::from_ref(item),
            Self::More(items) => items,
        }
    }
}

impl<T> DerefMut for Few<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        match self {
            Self::One(item) => std::slice::from_mut(item),
            Self::More(items) => items,
        }
    }
}

impl<T: PartialEq> PartialEq for Few<T> {
    fn eq(&self, other: &Self) -> bool {
        **self == **other
    }
}

impl<T: Eq> Eq for Few<T> {}

impl<T: fmt::Debug> fmt::Debug for Few<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_lies_in_place_however_it_came_to_be_alone() {
        let mut few = Few::default();
        few.insert(0, 1_u64);
        assert!(matches!(few, Few::One(1)));
        few.insert(0, 0);
        few.insert(2, 2);
        assert_eq!(*few, [0, 1, 2]);
        few.edit(|items| items.retain(|item| *item == 2));
        assert!(matches!(few, Few::One(2)) && few == Few::from(vec![2]));
        few.edit(Vec::clear);
        assert!(few.is_empty() && few == Few::default());
    }
}
