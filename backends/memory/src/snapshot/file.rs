//! The file of a snapshot: locked, taken in, removed, written.
//!
//! Whoever holds the lock is alone with the file, and the lock goes with its process. So nobody has to guess whose a
//! half-written file is: it is of a process that died.
//!
//! | a crash while | leaves |
//! |---|---|
//! | a snapshot is read | it, whole; nobody was served from it |
//! | it is removed | it, or nothing; nobody was served from it yet |
//! | one is written | nothing (`PATH.new`, which the next opening removes) |
//! | it is renamed | it, whole, or nothing; nobody writes to the store any more |

use std::fs::{self, File};
use std::io::{self, BufWriter, Read as _, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use abide_core::{Drained, Error};

use super::error::SnapshotError;
use super::format::{self, Content};
use super::private;

#[derive(Debug)]
pub(crate) struct SnapshotFile {
    path: PathBuf,
    /// The snapshot while it is written.
    new: PathBuf,
    directory: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// Held for as long as the store may still write the file.
    lock: Option<File>,
    drained: Option<Drained>,
}

/// That a snapshot could not be written.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) error: SnapshotError,
    /// Whether it is sure that the next process finds no snapshot.
    pub(super) nothing_is_there: bool,
}

/// What may fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Write,
    Rename,
    Remove,
    SyncDirectory,
}

impl SnapshotFile {
    /// Locks the file, and removes what a crash left of an unfinished one.
    pub(super) fn claim(path: PathBuf) -> Result<Self, SnapshotError> {
        let absolute = std::path::absolute(&path).ok();
        let parts = absolute.as_ref().and_then(|path| Some((path.parent()?, path.file_name()?)));
        let Some((directory, name)) = parts else {
            return Err(SnapshotError::new(
                &path,
                "expected the path of a file, such as `/var/lib/shop/sessions`",
            ));
        };
        let beside = |ending: &str| {
            let mut name = name.to_owned();
            name.push(ending);
            directory.join(name)
        };
        let lock = private::lock(&beside(".lock"))
            .map_err(|error| failed(&path, "its lock cannot be taken", error))?;
        let Some(lock) = lock else {
            return Err(SnapshotError::new(&path, "another process uses it, as its lock says"));
        };
        let file = Self {
            path: directory.join(name),
            new: beside(".new"),
            directory: directory.into(),
            state: Mutex::new(State { lock: Some(lock), drained: None }),
        };
        remove(&file.new).map_err(|error| failed(&file.new, "an unfinished one cannot be removed", error))?;
        Ok(file)
    }

    /// What is there, `None` where nothing is. It stays where it is.
    pub(super) fn read(&self) -> Result<Option<Content>, SnapshotError> {
        let mut file = match private::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) if private::is_link(&error) => return Err(self.error("it is a symbolic link")),
            Err(error) => return Err(failed(&self.path, "it cannot be opened", error)),
        };
        let unread = |error| failed(&self.path, "it cannot be read", error);
        private::check(&file).map_err(unread)?.map_err(|what| self.error(what))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(unread)?;
        match format::decode(&bytes) {
            Ok(content) => Ok(Some(content)),
            Err(damage) => Err(self.error(damage.to_string()).because(damage)),
        }
    }

    /// Removes what was taken in. It is gone for good once this answers.
    pub(super) fn remove(&self) -> Result<(), SnapshotError> {
        self.remove_for_good().map_err(|error| {
            failed(&self.path, "it cannot be removed, so nobody may be served from it", error)
        })
    }

    fn remove_for_good(&self) -> io::Result<()> {
        fails::at(Step::Remove)?;
        remove(&self.path)?;
        self.sync_directory()
    }

    /// Writes a snapshot: whole, or not at all. From the moment at which it is in place, it is there for good.
    pub(super) fn write(&self, content: &Content, until: Option<Instant>) -> Result<(), Failure> {
        if let Err(error) = self.write_beside(content, until) {
            let _ = remove(&self.new);
            let error = failed(&self.path, "it cannot be written", error);
            return Err(Failure { error, nothing_is_there: true });
        }
        // It is in place. Where that may not last, it must not be there at all.
        self.sync_directory().map_err(|error| Failure {
            error: failed(&self.path, "its directory cannot be synced", error),
            nothing_is_there: self.remove_for_good().is_ok(),
        })
    }

    fn write_beside(&self, content: &Content, until: Option<Instant>) -> io::Result<()> {
        remove(&self.new)?;
        let mut to = BufWriter::with_capacity(1 << 16, InTime { to: private::create(&self.new)?, until });
        format::encode(content, &mut to)?;
        to.flush()?;
        let in_time = to.into_inner().map_err(io::IntoInnerError::into_error)?;
        in_time.to.sync_all()?;
        in_time.check()?;
        fails::at(Step::Rename)?;
        fs::rename(&self.new, &self.path)
    }

    fn sync_directory(&self) -> io::Result<()> {
        fails::at(Step::SyncDirectory)?;
        File::open(&self.directory)?.sync_all()
    }

    /// Drains once: whoever asks again is answered the same. A drain that is done gives the lock back.
    pub(super) fn once(&self, drain: impl FnOnce() -> Result<Drained, Error>) -> Result<Drained, Error> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(drained) = state.drained {
            return Ok(drained);
        }
        let drained = drain()?;
        state.drained = Some(drained);
        state.lock = None;
        Ok(drained)
    }

    pub(super) fn error(&self, what: impl Into<String>) -> SnapshotError {
        SnapshotError::new(&self.path, what)
    }
}

fn failed(path: &Path, what: &str, error: io::Error) -> SnapshotError {
    SnapshotError::new(path, format!("{what}: {error}")).because(error)
}

/// Removes a file, where there is one.
fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Writes until the time is up.
struct InTime<W> {
    to: W,
    until: Option<Instant>,
}

impl<W> InTime<W> {
    fn check(&self) -> io::Result<()> {
        if self.until.is_some_and(|until| Instant::now() > until) {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "the time to drain is up"));
        }
        Ok(())
    }
}

impl<W: Write> Write for InTime<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        fails::at(Step::Write)?;
        self.to.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(not(test))]
mod fails {
    //! Nothing fails but what fails.

    pub(super) fn at(_: super::Step) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod fails {
    //! A test makes a step of its own thread fail: root, as which tests often run, is refused nothing by a mode.

    use std::cell::Cell;
    use std::io;

    use super::Step;

    thread_local! {
        static NEXT: Cell<Option<Step>> = const { Cell::new(None) };
    }

    pub(super) fn at(step: Step) -> io::Result<()> {
        if NEXT.get() == Some(step) { Err(io::Error::other(format!("{step:?} fails"))) } else { Ok(()) }
    }

    /// Makes every such step fail from now on, or none.
    pub(crate) fn set(step: Option<Step>) {
        NEXT.set(step);
    }
}
