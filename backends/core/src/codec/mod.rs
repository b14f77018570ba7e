//! The bytes of a record, at rest and on the wire, and of changes on the wire.
//!
//! Two bytes of head (`0xAB`, version), then fields: tag, length, bytes. The era is a field that holds fields. What is
//! within a field is `postcard`. A field of an unknown tag is kept byte for byte, so old and new servers can work on
//! one record; a new version of the head is for a change that old servers must not touch.
//!
//! Decoding is strict and bounded: a tag twice, a missing field, trailing bytes, unsorted values, or more than
//! [`MAX_ENCODED`] bytes are [`Corrupt`](crate::ErrorKind::Corrupt), never a panic; a length that the bytes do not
//! hold reserves no memory. What is encoded can be decoded: a record that would be larger is
//! [`TooLarge`](crate::ErrorKind::TooLarge).
//!
//! ```
//! use abide_core::{codec, NewRecord, Record, Stamps, Timestamp, Token};
//!
//! let now = Timestamp::from_millis(1_000);
//! let token = Token::from_bytes([1; 32]);
//! let record = Record::create(NewRecord::new(Stamps::new(1).next(now), [9; 16], token.verifier(), now));
//! let bytes = codec::encode(&record).unwrap();
//! assert_eq!(codec::decode(&bytes).unwrap(), record);
//! assert!(codec::decode(&bytes[..bytes.len() - 1]).is_err());
//! ```

mod changes;
mod fields;
mod record;

pub use changes::{decode_changes, encode_changes};
pub use record::{MAX_ENCODED, decode, encode};
