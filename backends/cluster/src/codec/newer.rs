//! What a newer version would send, for tests.

use abide_core::Error;

use super::{Head, MAJOR, MINOR, encode};
use crate::protocol::Message;

/// A message as a node of the next minor version might send it: with a field more at the end; or, with `kind`, one of a kind
/// that this version does not know.
///
/// # Errors
///
/// As of [`encode`].
#[doc(hidden)]
pub fn encode_newer(message: &Message, kind: Option<u32>) -> Result<Vec<u8>, Error> {
    let mut bytes = encode(message)?;
    if let Some(kind) = kind {
        let head = postcard::to_extend(&Head::of(message), vec![MAJOR, MINOR]).unwrap_or_default();
        bytes = postcard::to_extend(&kind, head).unwrap_or_default();
    }
    bytes[1] = MINOR + 1;
    bytes.extend_from_slice(b"new");
    Ok(bytes)
}
