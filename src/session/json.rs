//! Values as JSON.

use std::cell::Cell;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::Error;

/// A scratch buffer that grew beyond this is not kept.
const KEPT: usize = 64 * 1024;

thread_local! {
    /// Values are written here first, so that each costs one allocation of just its size.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// The bytes of the value under `key`.
pub(super) fn encode<T: Serialize + ?Sized>(key: &str, value: &T) -> Result<Arc<[u8]>, Error> {
    // Taken out while it is used: a `Serialize` of the application may come back here, and finds an empty one.
    let mut scratch = SCRATCH.take();
    scratch.clear();
    let written = serde_json::to_writer(&mut scratch, value);
    let bytes = written.map(|()| Arc::from(scratch.as_slice()));
    if scratch.capacity() <= KEPT {
        SCRATCH.set(scratch);
    }
    bytes.map_err(|error| Error::value(key, error))
}

/// The value under `key` of its bytes.
pub(super) fn decode<T: DeserializeOwned>(key: &str, bytes: &[u8]) -> Result<T, Error> {
    serde_json::from_slice(bytes).map_err(|error| Error::value(key, error))
}
