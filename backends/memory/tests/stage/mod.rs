//! What the tests of the store share.

#![allow(dead_code, reason = "each test program uses its part")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use abide_core::{ManualClock, SessionKey, Stamps, Timestamp, Token};
use abide_memory::{MemoryStore, MemoryStoreBuilder};

/// When every test begins.
pub(crate) const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

/// A store whose time stands still until it is told. What a test program does with it, it adds itself.
pub(crate) struct Stage {
    pub(crate) store: MemoryStore,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) stamps: Stamps,
}

impl Stage {
    pub(crate) fn new(bounded: impl FnOnce(MemoryStoreBuilder) -> MemoryStoreBuilder) -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = bounded(MemoryStore::builder().clock(clock.clone())).build();
        Self { store, clock, stamps: Stamps::new(1) }
    }
}

/// The token of the session with that number.
pub(crate) fn token(n: u32) -> Token {
    let mut bytes = [0; 32];
    bytes[..4].copy_from_slice(&n.to_le_bytes());
    Token::from_bytes(bytes)
}

pub(crate) fn key(n: u32) -> SessionKey {
    *token(n).key()
}

/// A directory of one test, removed with what is in it.
#[derive(Debug)]
pub(crate) struct Directory(PathBuf);

impl Directory {
    pub(crate) fn new(name: &str) -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("abide-memory-{name}-{}-{count}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl AsRef<Path> for Directory {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
