//! What fuzzing calls: how stored strings are read and written. No part of the interface.

use std::sync::Arc;

use abide_core::{EndReason, Error, Loaded, Record, Timestamp};

use crate::envelope::{self, Stored, Versions};

/// Reads what is stored under a session's key: a record that nobody ended, or nothing of a tombstone.
///
/// # Errors
///
/// [`Corrupt`](abide_core::ErrorKind::Corrupt) where no store wrote it.
pub fn open(bytes: &[u8]) -> Result<Option<Loaded>, Error> {
    Ok(match envelope::open(bytes)? {
        Stored::Held(loaded) => Some(loaded),
        Stored::Over => None,
    })
}

/// What is stored of a record.
///
/// # Errors
///
/// Where there is no randomness, or the record is beyond the bounds of the codec.
pub fn seal(record: &Arc<Record>) -> Result<Vec<u8>, Error> {
    Ok(Versions::new()?.seal(record, usize::MAX)?.bytes)
}

/// What is stored of a session that ended.
///
/// # Errors
///
/// As [`seal`].
pub fn tombstone(at: Timestamp, reason: EndReason) -> Result<Vec<u8>, Error> {
    Versions::new()?.tombstone(at, reason)
}
