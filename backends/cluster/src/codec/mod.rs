//! The bytes of messages.
//!
//! A message is `major, minor`, a head (who, to whom, of which cluster, in which view, how fresh) and what is said, all but the
//! first two bytes by `postcard`; the number of a kind of message is its place in [`Body`]. The frame around it is the link's.
//!
//! **Versions.** Nodes of one major version talk to each other. A newer minor version may add kinds of messages, and fields at the
//! end of what is said:
//!
//! - a kind that this node does not know, or cannot read because of something new within, arrives as [`Body::Unknown`]: its
//!   sender is heard of, and otherwise it is as if the message had been lost, which the protocol survives;
//! - fields at the end that this node does not know are skipped.
//!
//! So a newer node must do without an answer to what is new. Changes that hold something new are never carried out in part.
//!
//! **Bounds.** More than [`MAX_MESSAGE`] bytes are refused, a length that the bytes do not hold reserves no memory, what is not
//! a message of this version is [`Corrupt`](abide_core::ErrorKind::Corrupt), and nothing panics.
//!
//! ```
//! use abide_cluster::codec;
//! use abide_cluster::protocol::{Body, Member, Message, NodeId};
//!
//! let from = Member { id: NodeId(7), address: "10.0.0.1:7000".parse()? };
//! let message = Message { from, to: NodeId::ANY, cluster: None, view: 0, beat: 1, echo: 0, body: Body::Bye };
//! let bytes = codec::encode(&message)?;
//! assert!(matches!(codec::decode(&bytes)?.body, Body::Bye));
//! assert!(codec::decode(&bytes[..bytes.len() - 1]).is_err());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod newer;
#[cfg(test)]
mod tests;

use abide_core::{Error, ErrorKind};
use serde::{Deserialize, Serialize};

use crate::protocol::{Body, ClusterId, Member, Message, NodeId};

pub use newer::encode_newer;

/// The largest message, in bytes: what is told of one slot must fit.
pub const MAX_MESSAGE: usize = 64 << 20;

/// Nodes of another major version are not understood.
pub const MAJOR: u8 = 1;
/// What this node knows to say.
pub const MINOR: u8 = 0;

/// What a message takes as a rule, in bytes, a value of a session aside.
const USUAL: usize = 256;

/// All of a message but what is said.
#[derive(Serialize, Deserialize)]
struct Head {
    from: Member,
    to: NodeId,
    cluster: Option<ClusterId>,
    view: u64,
    beat: u32,
    echo: u32,
}

impl Head {
    fn of(message: &Message) -> Self {
        let Message { from, to, cluster, view, beat, echo, .. } = message;
        Self { from: *from, to: *to, cluster: *cluster, view: *view, beat: *beat, echo: *echo }
    }

    fn with(self, body: Body) -> Message {
        let Self { from, to, cluster, view, beat, echo } = self;
        Message { from, to, cluster, view, beat, echo, body }
    }
}

/// The bytes of a message.
///
/// # Errors
///
/// [`TooLarge`](ErrorKind::TooLarge) where they, or those of a record within, would be more than may be read.
/// [`Unsupported`](ErrorKind::Unsupported) for [`Body::Unknown`], which nobody says.
pub fn encode(message: &Message) -> Result<Vec<u8>, Error> {
    if matches!(message.body, Body::Unknown { .. }) {
        return Err(Error::new(ErrorKind::Unsupported, "what was not understood is not passed on"));
    }
    let too_large =
        |detail: &str| Error::new(ErrorKind::TooLarge, format!("{detail}, at most {MAX_MESSAGE}"));
    let mut bytes = Vec::with_capacity(USUAL);
    bytes.extend([MAJOR, MINOR]);
    let bytes = postcard::to_extend(&Head::of(message), bytes)
        .and_then(|bytes| postcard::to_extend(&message.body, bytes))
        .map_err(|e| too_large("a record that is too large to be written").with_source(e))?;
    if bytes.len() > MAX_MESSAGE {
        return Err(too_large(&format!("a message of {} bytes", bytes.len())));
    }
    Ok(bytes)
}

/// A message from its bytes.
///
/// # Errors
///
/// [`Corrupt`](ErrorKind::Corrupt), with what is wrong and never with what the bytes are;
/// [`Unsupported`](ErrorKind::Unsupported) for another major version.
pub fn decode(bytes: &[u8]) -> Result<Message, Error> {
    if bytes.len() > MAX_MESSAGE {
        return Err(corrupt(format!("a message of {} bytes, at most {MAX_MESSAGE} are read", bytes.len())));
    }
    let Some(([major, minor], rest)) = bytes.split_first_chunk::<2>() else {
        return Err(corrupt("a message without a version"));
    };
    if *major != MAJOR {
        let detail = format!("a message of version {major}, this is version {MAJOR}");
        return Err(Error::new(ErrorKind::Unsupported, detail));
    }
    let (head, said): (Head, &[u8]) =
        postcard::take_from_bytes(rest).map_err(|e| corrupt("the head of a message").with_source(e))?;
    decode_body(said, *minor > MINOR).map(|body| head.with(body))
}

fn decode_body(said: &[u8], is_newer: bool) -> Result<Body, Error> {
    match postcard::take_from_bytes::<Body>(said) {
        Ok((body, rest)) if rest.is_empty() || is_newer => Ok(body),
        Ok(_) => Err(corrupt("a message with trailing bytes")),
        Err(_) if is_newer => {
            let (kind, _) = postcard::take_from_bytes(said)
                .map_err(|e| corrupt("a message of no kind").with_source(e))?;
            Ok(Body::Unknown { kind })
        }
        Err(e) => Err(corrupt("what a message says").with_source(e)),
    }
}

fn corrupt(detail: impl Into<std::borrow::Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Corrupt, detail)
}

/// A message as it arrives: through its bytes.
///
/// # Errors
///
/// As of [`encode`] and [`decode`].
pub fn through(message: &Message) -> Result<Message, Error> {
    decode(&encode(message)?)
}
