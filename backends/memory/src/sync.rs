//! The locks of this crate: those of std.
//!
//! In the unit tests they are shuttle's, which chooses who runs next at each lock: so `schedules` looks at thousands
//! of interleavings of the very code that ships. A unit test that takes a lock must therefore run under shuttle; any
//! other test of the store stands in `tests/`.

pub(crate) use std::sync::PoisonError;

#[cfg(test)]
pub(crate) use shuttle::sync::{
    Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
#[cfg(not(test))]
pub(crate) use std::sync::{
    Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard,
    atomic::{AtomicU64, AtomicUsize, Ordering},
};
