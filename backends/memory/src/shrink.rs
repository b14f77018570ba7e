//! Tables that give memory back.

use std::collections::HashMap;
use std::hash::{BuildHasher, Hash};

/// Gives memory back after a wave of entries left, without shrinking at each one.
pub(crate) fn shrink_if_sparse<K: Eq + Hash, V, S: BuildHasher>(table: &mut HashMap<K, V, S>) {
    if table.capacity() > 64 && table.len() * 8 < table.capacity() {
        table.shrink_to(table.len() * 2);
    }
}
