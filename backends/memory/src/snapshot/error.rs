//! What is wrong with a snapshot.

use std::error::Error as StdError;
use std::fmt;
use std::path::{Path, PathBuf};

/// A snapshot cannot be taken in, or not be written. The message names the file and what is wrong, on one line.
#[derive(Debug)]
pub struct SnapshotError {
    path: PathBuf,
    what: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl SnapshotError {
    pub(crate) fn new(path: &Path, what: impl Into<String>) -> Self {
        Self { path: path.into(), what: what.into(), source: None }
    }

    pub(crate) fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the snapshot {}: {}", self.path.display(), self.what)
    }
}

impl StdError for SnapshotError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
