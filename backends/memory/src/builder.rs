//! How a store is made.

use std::path::PathBuf;
use std::sync::Arc;

use abide_core::Clock;

use crate::bounds::Amount;
use crate::inner::Inner;
use crate::snapshot::{self, SnapshotError};
use crate::store::MemoryStore;

/// Makes a [`MemoryStore`].
#[derive(Debug)]
#[must_use]
pub struct MemoryStoreBuilder {
    clock: Arc<dyn Clock>,
    most: Amount,
}

impl MemoryStoreBuilder {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock, most: Amount::UNBOUNDED }
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// How many sessions are held at the most. One that expired counts until it is swept, but makes room where it is
    /// wanted.
    ///
    /// At a bound the session goes that is idle the longest of those that nobody is signed in to; where there is none,
    /// a new session is [`Full`](abide_core::ErrorKind::Full), and so is a write that makes one larger. A session with
    /// a user is never evicted, nor is one by its own write.
    ///
    /// ```
    /// use abide_memory::MemoryStore;
    ///
    /// let store = MemoryStore::builder().max_sessions(100_000).max_bytes(256 << 20).build();
    /// assert_eq!(store.evicted(), 0);
    /// ```
    pub fn max_sessions(mut self, sessions: usize) -> Self {
        self.most.sessions = sessions;
        self
    }

    /// How many bytes the sessions take at the most, by the sum of their [weights](abide_core::Record::weight). See
    /// [`max_sessions`](Self::max_sessions) for what happens at a bound.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.most.bytes = bytes;
        self
    }

    /// A file that carries the sessions over a planned restart: [`drain`](abide_core::SessionStore::drain) writes it,
    /// and [`open`](MemoryStoreOpener::open) takes it in. See [`MemoryStoreOpener`].
    pub fn snapshot(self, path: impl Into<PathBuf>) -> MemoryStoreOpener {
        MemoryStoreOpener { builder: self, path: path.into() }
    }

    /// An empty store.
    #[must_use]
    pub fn build(self) -> MemoryStore {
        MemoryStore::of(Inner::new(self.clock, self.most, None))
    }

    pub(crate) fn inner(self, snapshot: Option<Arc<snapshot::SnapshotFile>>) -> Inner {
        Inner::new(self.clock, self.most, snapshot)
    }
}

/// Opens a [`MemoryStore`] with the sessions that the process before it left in a snapshot.
///
/// **What it promises.** After a planned restart (drain, end, start, with the same path) everybody is signed in as
/// before; after a crash nobody is, and no session that was ended comes back. For that the store is frozen before it is
/// written: every write afterwards is [`Unavailable`](abide_core::ErrorKind::Unavailable). And the file is removed, and
/// its removal synced, before the store that took it in is handed out: no second process ever starts from it.
///
/// **The file** has mode 0600. It holds no secret that logs anybody in, but it holds the sessions' values and users:
/// keep it where only this service reads and writes. It is refused, and left where it is, when it is damaged or cut
/// short, of another format, a symbolic link or no regular file, when another user owns it, and when others may read or
/// write it: whoever can write it can sign in as anybody.
///
/// **One process** at a time: a lock on `PATH.lock` is held from opening until the drain is done, and a second opening
/// is refused meanwhile. `PATH.new` is the snapshot while it is written; what a crash left of it is removed. Both are
/// beside the file, so the directory must be writable.
///
/// ```no_run
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(async {
/// use abide_core::SessionStore;
/// use abide_memory::MemoryStore;
/// use std::time::Duration;
///
/// let store = MemoryStore::builder().snapshot("/var/lib/shop/sessions").open().await?;
/// // … serve, until it is time to go:
/// let drained = store.drain(Duration::from_secs(10)).await?;
/// println!("{} sessions go on after the restart", drained.handed_over);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
#[derive(Debug)]
#[must_use]
pub struct MemoryStoreOpener {
    builder: MemoryStoreBuilder,
    path: PathBuf,
}

impl MemoryStoreOpener {
    /// The store, with the sessions of the snapshot where there is one. Those that expired meanwhile are left out; the
    /// others have their deadlines as they were. Where they are more than a lower bound allows, those of nobody that
    /// are idle the longest are left out.
    ///
    /// Dropping the future before it resolved leaves the snapshot whole, or taken in by nobody and gone.
    ///
    /// # Errors
    ///
    /// [`SnapshotError`], which names the file and what is wrong. Nothing is lost: the file stays where it is. Only
    /// where its removal failed half-way may it be gone.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub async fn open(self) -> Result<MemoryStore, SnapshotError> {
        snapshot::open(self.builder, self.path).await.map(MemoryStore::of)
    }
}
