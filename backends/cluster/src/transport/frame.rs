//! Frames: what a stream of bytes is cut into.
//!
//! ```text
//! length: u32, little endian, of what follows │ kind: u8 │ payload
//! ```
//!
//! **Invariant.** A decoder takes memory for bytes that came, never for bytes that were announced; it cuts a stream the
//! same way however it comes in; and a frame above the bound is refused by its length alone.

use bytes::{Buf as _, BufMut as _, Bytes, BytesMut};

/// Bytes before the payload.
pub(super) const BEFORE: usize = 5;

/// What a payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Kind {
    /// Who is there: see `hello`.
    Hello = 0,
    /// Why there will be no link.
    Refusal = 1,
    /// A message of the protocol.
    Message = 2,
    /// A packet of the failure detector.
    Swim = 3,
    /// Whether the link is alive.
    Ping = 4,
    /// That it is.
    Pong = 5,
}

impl Kind {
    fn from_byte(byte: u8) -> Option<Self> {
        let kinds = [Self::Hello, Self::Refusal, Self::Message, Self::Swim, Self::Ping, Self::Pong];
        kinds.into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it is.
    pub kind: Kind,
    /// Its bytes.
    pub payload: Bytes,
}

/// Why a stream is no stream of frames. Nothing behind it can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A frame has more bytes than one may have.
    Oversized,
    /// A frame is of no kind that there is, or of none at all.
    Malformed,
}

/// Takes the next frame off the front, once all of it is there. `largest` is the bound on a payload.
///
/// # Errors
///
/// [`FrameError`]; the buffer is of no use then.
pub fn decode(buffer: &mut BytesMut, largest: usize) -> Result<Option<Frame>, FrameError> {
    let Some((length, rest)) = buffer.split_first_chunk() else { return Ok(None) };
    let length = u32::from_le_bytes(*length) as usize;
    let payload = length.checked_sub(1).ok_or(FrameError::Malformed)?;
    if payload > largest {
        return Err(FrameError::Oversized);
    }
    // The kind is looked at before the rest is waited for.
    let Some(kind) = rest.first() else { return Ok(None) };
    let kind = Kind::from_byte(*kind).ok_or(FrameError::Malformed)?;
    if buffer.len() < BEFORE + payload {
        return Ok(None);
    }
    buffer.advance(BEFORE);
    Ok(Some(Frame { kind, payload: buffer.split_to(payload).freeze() }))
}

/// Appends a frame. The payload must not exceed the bound of whoever reads it.
pub fn encode(kind: Kind, payload: &[u8], into: &mut BytesMut) {
    let length = u32::try_from(payload.len() + 1).expect("within the bound on a frame");
    into.reserve(BEFORE + payload.len());
    into.put_u32_le(length);
    into.put_u8(kind as u8);
    into.put_slice(payload);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> (BytesMut, Vec<Frame>) {
        let payloads =
            [(Kind::Hello, &b"who"[..]), (Kind::Ping, b""), (Kind::Message, b"what"), (Kind::Swim, b"s")];
        let mut bytes = BytesMut::new();
        payloads.iter().for_each(|(kind, payload)| encode(*kind, payload, &mut bytes));
        let frames = payloads.map(|(kind, payload)| Frame { kind, payload: Bytes::from_static(payload) });
        (bytes, frames.to_vec())
    }

    #[test]
    fn frames_come_out_as_they_went_in_however_the_stream_is_cut() {
        let (bytes, expected) = frames();
        for size in 1..=bytes.len() {
            let (mut buffer, mut found) = (BytesMut::new(), Vec::new());
            for chunk in bytes.chunks(size) {
                buffer.extend_from_slice(chunk);
                while let Some(frame) = decode(&mut buffer, 4).unwrap() {
                    found.push(frame);
                }
            }
            assert_eq!(found, expected, "in chunks of {size}");
        }
    }

    #[test]
    fn a_frame_above_the_bound_is_refused_by_its_length_alone() {
        let mut header = BytesMut::from(&6_u32.to_le_bytes()[..]);
        assert_eq!(decode(&mut header, 4), Err(FrameError::Oversized));
        assert_eq!(decode(&mut header, 5), Ok(None));
    }

    #[test]
    fn a_frame_of_no_kind_is_refused_before_its_payload_came() {
        assert_eq!(decode(&mut BytesMut::from(&[9, 0, 0, 0, 6][..]), 100), Err(FrameError::Malformed));
        assert_eq!(decode(&mut BytesMut::from(&[0; 4][..]), 100), Err(FrameError::Malformed));
    }
}
