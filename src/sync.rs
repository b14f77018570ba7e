//! The lock and the flags of a [`Session`](crate::Session): those of std.
//!
//! In the unit tests they are shuttle's, which chooses who runs next at each of them: so `session/schedules` looks at
//! thousands of interleavings of the very code that ships. A unit test that uses a session must therefore run under
//! shuttle; any other stands in `tests/`.

pub(crate) use std::sync::PoisonError;
pub(crate) use std::sync::atomic::Ordering;

#[cfg(test)]
pub(crate) use shuttle::sync::{Mutex, MutexGuard, atomic::AtomicBool};
#[cfg(not(test))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicBool};
