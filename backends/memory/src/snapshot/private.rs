//! Files that only their owner may touch.

use std::fs::File;
use std::io;
use std::path::Path;

#[cfg(unix)]
mod unix {
    use std::fs::OpenOptions;
    use std::os::unix::fs::{MetadataExt, OpenOptionsExt};

    use rustix::fs::{FlockOperation, OFlags, flock};

    use super::{File, Path, io};

    /// For the owner alone.
    const MODE: u32 = 0o600;

    /// A link is not followed, and a pipe is not waited for.
    fn options() -> OpenOptions {
        let mut options = OpenOptions::new();
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        options.mode(MODE).custom_flags(flags.bits() as i32);
        options
    }

    pub(crate) fn open(path: &Path) -> io::Result<File> {
        options().read(true).open(path)
    }

    pub(crate) fn create(path: &Path) -> io::Result<File> {
        options().write(true).create_new(true).open(path)
    }

    /// `None` where another holds the lock.
    pub(crate) fn lock(path: &Path) -> io::Result<Option<File>> {
        let file = options().read(true).write(true).create(true).truncate(false).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(file)),
            Err(error) if error == rustix::io::Errno::WOULDBLOCK => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether nobody else can have written the file, or can read it. If not, why.
    pub(crate) fn check(file: &File) -> io::Result<Result<(), String>> {
        let about = file.metadata()?;
        let (mode, owner) = (about.mode() & 0o7777, about.uid());
        let me = rustix::process::geteuid().as_raw();
        Ok(if !about.is_file() {
            Err("it is no regular file".into())
        } else if owner != me {
            Err(format!("it belongs to the user {owner}, and this process runs as {me}"))
        } else if mode & 0o077 != 0 {
            Err(format!("others may read or write it: its mode is {mode:04o}, expected {MODE:04o}"))
        } else {
            Ok(())
        })
    }

    pub(crate) fn is_link(error: &io::Error) -> bool {
        error.raw_os_error() == Some(rustix::io::Errno::LOOP.raw_os_error())
    }
}

#[cfg(unix)]
pub(super) use unix::{check, create, is_link, lock, open};

#[cfg(not(unix))]
mod other {
    //! Snapshots need the modes and locks of Unix.

    use super::{File, Path, io};

    pub(crate) fn open(_: &Path) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn create(_: &Path) -> io::Result<File> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn lock(_: &Path) -> io::Result<Option<File>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn check(_: &File) -> io::Result<Result<(), String>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    pub(crate) fn is_link(_: &io::Error) -> bool {
        false
    }
}

#[cfg(not(unix))]
pub(super) use other::{check, create, is_link, lock, open};
