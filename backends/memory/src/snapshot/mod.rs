//! What a planned restart leaves for the next process.
//!
//! **Invariant.** A session in a snapshot is as everybody saw it last. The store is frozen before it is written, and
//! thawed only where it is sure not to be there; and a snapshot that was taken in is removed, and the removal synced,
//! before anybody is served.
//!
//! | file | role |
//! |---|---|
//! | `mod` | from a store to a snapshot and back |
//! | `format` | the bytes, pure |
//! | `file` | the file: locked, written, taken in, removed |
//! | `private` | files that only their owner may touch |
//! | `error` | what is wrong with one |

mod error;
mod file;
pub mod format;
mod private;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use abide_core::{Drained, Error, ErrorKind, Timestamp};

use crate::bounds::Amount;
use crate::builder::MemoryStoreBuilder;
use crate::inner::Inner;
use crate::shard::Context;
use crate::users::{NewLogin, login_of};
pub use error::SnapshotError;
pub(crate) use file::SnapshotFile;
use format::Content;

/// Opens a store with what a snapshot holds. The file work is done on a thread of its own.
pub(crate) async fn open(builder: MemoryStoreBuilder, path: PathBuf) -> Result<Inner, SnapshotError> {
    let shown = path.clone();
    let opened = tokio::task::spawn_blocking(move || open_now(builder, path)).await;
    opened
        .unwrap_or_else(|error| Err(SnapshotError::new(&shown, "it was not read to its end").because(error)))
}

fn open_now(builder: MemoryStoreBuilder, path: PathBuf) -> Result<Inner, SnapshotError> {
    let file = Arc::new(SnapshotFile::claim(path)?);
    let found = file.read()?;
    let inner = builder.inner(Some(file.clone()));
    if let Some(content) = found {
        restore(&inner, content).map_err(|what| file.error(what))?;
        file.remove()?;
    }
    Ok(inner)
}

/// Takes in what has not expired. Where there is less room than there was, users come first, then whoever was seen
/// last.
fn restore(inner: &Inner, mut content: Content) -> Result<(), &'static str> {
    let context = inner.context(inner.now());
    content.sessions.retain(|(_, record)| record.over(context.now).is_none());
    content.sessions.sort_by_key(|(_, record)| {
        let era = record.era();
        std::cmp::Reverse(era.map(|era| (era.user().is_some(), era.last_seen())))
    });
    for (key, record) in &content.sessions {
        let Some(era) = record.era() else { continue };
        if !has_room(record.weight(), context) {
            match era.user() {
                Some(_) => {
                    return Err("it holds more sessions with a user than max_sessions or max_bytes allow");
                }
                None => continue,
            }
        }
        if let Some(user) = era.user() {
            let login = NewLogin { began: Timestamp::MAX, limit: None, stays: true };
            let entered = inner.users.enter(user, *key, login_of(era), login);
            entered.map_err(|_| "it is damaged: a session cannot be entered")?;
        }
        if !inner.shard(key).restore(*key, record, context) {
            return Err("it is damaged: a session stands twice");
        }
    }
    // A clock that was ahead must not keep people from signing in.
    inner.users.raise_all(content.not_before.min(context.now));
    for (user, raised) in content.barriers {
        inner.users.raise(&user, raised.min(context.now));
    }
    Ok(())
}

fn has_room(weight: usize, context: Context<'_>) -> bool {
    let Some(bounds) = context.bounds else { return true };
    match bounds.reserve(Amount::session(weight)) {
        Some(room) => {
            room.keep();
            true
        }
        None => {
            bounds.count_eviction(context.now);
            false
        }
    }
}

/// Freezes a store and writes what it holds, on a thread of its own.
pub(crate) async fn drain(
    inner: Arc<Inner>,
    file: Arc<SnapshotFile>,
    deadline: Duration,
) -> Result<Drained, Error> {
    let until = Instant::now().checked_add(deadline);
    let drained = tokio::task::spawn_blocking(move || file.once(|| drain_now(&inner, &file, until))).await;
    drained.unwrap_or_else(|error| {
        Err(Error::new(ErrorKind::Unavailable, "the snapshot was not written to its end").with_source(error))
    })
}

fn drain_now(inner: &Inner, file: &SnapshotFile, until: Option<Instant>) -> Result<Drained, Error> {
    inner.set_frozen(true);
    let content = collect(inner);
    if let Err(failure) = file.write(&content, until) {
        if failure.nothing_is_there {
            inner.set_frozen(false);
        }
        return Err(Error::new(ErrorKind::Unavailable, failure.error.to_string()).with_source(failure.error));
    }
    Ok(Drained::new(content.sessions.len() as u64, 0))
}

/// What a frozen store holds.
fn collect(inner: &Inner) -> Content {
    let now = inner.now();
    let mut sessions = Vec::new();
    for shard in inner.shards() {
        sessions.extend(shard.live(now));
    }
    Content { not_before: inner.users.not_before(), barriers: inner.users.barriers(), sessions }
}

#[cfg(test)]
mod tests;
