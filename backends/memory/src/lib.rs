//! Sessions in the process: a sharded store that copies nothing on a load.
//!
//! A session lives in one shard, behind a plain mutex that is held for the time of a look-up or of one merge; records
//! are shared, so a load is a look-up and a reference count. Sessions that expire leave by time, not only when asked
//! for: each new session sweeps what is due in its shard, and [`MemoryStore::keep_swept`] sweeps a quiet store.
//!
//! The sessions are those of one process: a crash loses them, and another server does not know them. Route each client
//! to one server (sticky routing), or choose another store.
//!
//! [Bounds](MemoryStoreBuilder::max_sessions) on sessions and bytes keep a flood of visitors from taking the memory; a
//! [snapshot](MemoryStoreBuilder::snapshot) carries the sessions over a planned restart.
//!
//! An end is remembered for ten minutes, so that no late creation brings the session back. A store with a bound
//! remembers as many ends as it may hold sessions, and forgets the oldest sooner where there are more. Of an evicted
//! session nothing is remembered.
//!
//! | file | role |
//! |---|---|
//! | `store` | the [`SessionStore`](abide_core::SessionStore) |
//! | `builder` | how one is made |
//! | `inner` | the shards, the users and the bounds; in which order locks are taken |
//! | `shard` | one shard: the sessions of some keys, and when they are due |
//! | `due` | which keys are due when |
//! | `users` | which sessions a user has, and since when logins count |
//! | `bounds` | how much may be held, and whom to evict |
//! | `snapshot` | what a planned restart leaves for the next process |
//! | `table` | a hash table whose entries lie one after the other |
//! | `shrink` | maps that give memory back |
//! | `schedules` | tests: operations at once, under thousands of schedules |
//! | `sync` | the locks: those of std, in unit tests those of shuttle |
//!
//! Locks are taken in one order: the door, a shard, a part of the users; never two shards at once. Nothing is awaited
//! under a lock.
//!
//! ```
//! use abide_core::{CreateOptions, LoadOptions, NewRecord, Record, SessionStore, Stamps, SystemClock, Clock, Token};
//! use abide_memory::MemoryStore;
//!
//! # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
//! let store = MemoryStore::new();
//! let (token, now) = (Token::from_bytes([1; 32]), SystemClock.now());
//! let record = Record::create(NewRecord::new(Stamps::new(1).next(now), [2; 16], token.verifier(), now));
//! store.create(token.key(), record, &CreateOptions::default()).await?;
//! assert!(store.load(token.key(), &LoadOptions::default()).await?.is_some());
//! # Ok::<(), abide_core::Error>(())
//! # }).unwrap();
//! ```

mod bounds;
mod builder;
mod due;
mod inner;
#[cfg(test)]
mod schedules;
mod shard;
mod shrink;
#[doc(hidden)]
pub mod snapshot;
mod store;
mod sync;
mod table;
mod users;

pub use builder::{MemoryStoreBuilder, MemoryStoreOpener};
pub use snapshot::SnapshotError;
pub use store::MemoryStore;

/// Many more than cores, so that two requests seldom want one; a power of two, so that a mask picks one.
const SHARDS: usize = 64;
