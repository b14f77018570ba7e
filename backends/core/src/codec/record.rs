//! A record as fields.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use super::fields::{Reader, Writer, corrupt};
use crate::error::{Error, ErrorKind};
use crate::name::Name;
use crate::record::{
    EndReason, Ended, Era, Life, Operations, Rare, Record, SecretEntry, Secrets, ValueEntry, Values,
};
use crate::stamp::Stamp;
use crate::time::Timestamp;

/// The largest record that is encoded and decoded, in bytes: more than twice the largest weight that `abide` lets a
/// session grow to.
pub const MAX_ENCODED: usize = 16 << 20;

const HEAD: [u8; 2] = [0xAB, 1];

/// Room for what is small: a stamp, a time.
const FEW_BYTES: usize = 64;

/// Tags of the record. A tag is never used again for something else.
mod tag {
    pub(super) const CREATED: u16 = 1;
    pub(super) const ENDED: u16 = 2;
    pub(super) const ERA: u16 = 3;
}

/// Tags within the era.
mod era_tag {
    pub(super) const ID: u16 = 1;
    pub(super) const USER: u16 = 2;
    pub(super) const AUTHENTICATED_AT: u16 = 3;
    pub(super) const HARD_DEADLINE: u16 = 4;
    pub(super) const IDLE: u16 = 5;
    pub(super) const LAST_SEEN: u16 = 6;
    pub(super) const SECRETS: u16 = 7;
    pub(super) const VALUES: u16 = 8;
    pub(super) const OPERATIONS: u16 = 9;
}

#[derive(Serialize, Deserialize)]
struct Value<'a> {
    key: &'a str,
    stamp: Stamp,
    /// Absent where it is the stamp itself, as for every value that no update made.
    root: Option<Stamp>,
    #[serde(borrow)]
    bytes: Option<&'a Bytes>,
}

/// The bytes of a record.
///
/// # Errors
///
/// [`TooLarge`](crate::ErrorKind::TooLarge) where they would be more than [`MAX_ENCODED`], so that nothing is stored
/// that cannot be read back. A join of copies may come to that; a commit with a sensible limit does not.
pub fn encode(record: &Record) -> Result<Vec<u8>, Error> {
    let era = match &record.life {
        Life::Ended(_) => Vec::new(),
        Life::Alive(era) => encode_era(era),
    };
    let mut fields = Writer::with_capacity(era.len() + FEW_BYTES);
    fields.put(tag::CREATED, &record.created);
    match &record.life {
        Life::Ended(ended) => fields.put(tag::ENDED, &(ended.at, ended.reason.code())),
        Life::Alive(_) => fields.put_raw(tag::ERA, &era),
    }
    fields.put_unknown(&record.unknown);
    let bytes = fields.finish(&HEAD);
    if bytes.len() > MAX_ENCODED {
        let detail = format!("{} bytes, at most {MAX_ENCODED} are written", bytes.len());
        return Err(Error::new(ErrorKind::TooLarge, detail));
    }
    Ok(bytes)
}

/// A record from its bytes.
///
/// # Errors
///
/// [`Corrupt`](crate::ErrorKind::Corrupt), with what is wrong and never with what the bytes are.
pub fn decode(bytes: &[u8]) -> Result<Record, Error> {
    if bytes.len() > MAX_ENCODED {
        return Err(corrupt(format!("{} bytes, at most {MAX_ENCODED} are read", bytes.len())));
    }
    let Some((head, rest)) = bytes.split_first_chunk::<2>() else {
        return Err(corrupt("shorter than its head"));
    };
    if *head != HEAD {
        return Err(corrupt("the head is not that of a record of version 1"));
    }
    let mut fields = Reader::new(rest)?;
    let created = fields.take(tag::CREATED)?;
    let ended: Option<(Timestamp, u8)> = fields.take_borrowed(tag::ENDED)?;
    let life = match (ended, fields.take_raw(tag::ERA)) {
        (Some((at, code)), None) => Life::Ended(Ended { at, reason: EndReason::from_code(code) }),
        (None, Some(era)) => Life::Alive(decode_era(era)?),
        _ => return Err(corrupt("neither alive nor over, or both")),
    };
    Ok(Record { created, life, unknown: fields.into_unknown() })
}

fn encode_era(era: &Era) -> Vec<u8> {
    let values: usize =
        era.values.iter().map(|(key, entry)| key.len() + entry.bytes().map_or(0, <[u8]>::len)).sum();
    let mut fields = Writer::with_capacity(values + era.values.iter().len() * FEW_BYTES + 4 * FEW_BYTES);
    fields.put(era_tag::ID, &era.id);
    fields.put_some(era_tag::USER, era.user.as_deref().as_ref());
    fields.put_some(era_tag::AUTHENTICATED_AT, era.authenticated_at.as_ref());
    fields.put(era_tag::HARD_DEADLINE, &era.hard_deadline);
    fields.put(era_tag::IDLE, &era.idle);
    fields.put(era_tag::LAST_SEEN, &era.last_seen);
    fields.put(era_tag::SECRETS, era.secrets.as_slice());
    if era.values.iter().len() > 0 {
        let values: Vec<Value<'_>> = era.values.iter().map(|(key, entry)| encode_value(key, entry)).collect();
        fields.put(era_tag::VALUES, &values);
    }
    if !era.rare.operations().as_slice().is_empty() {
        fields.put(era_tag::OPERATIONS, era.rare.operations().as_slice());
    }
    fields.put_unknown(era.rare.unknown());
    fields.finish(&[])
}

fn encode_value<'a>(key: &'a str, entry: &'a ValueEntry) -> Value<'a> {
    Value {
        key,
        stamp: entry.stamp(),
        root: (entry.root() != entry.stamp()).then(|| entry.root()),
        bytes: entry.bytes().map(Bytes::new),
    }
}

fn decode_era(bytes: &[u8]) -> Result<Era, Error> {
    let mut fields = Reader::new(bytes)?;
    let user: Option<&str> = fields.take_borrowed(era_tag::USER)?;
    let secrets: Vec<SecretEntry> = fields.take(era_tag::SECRETS)?;
    let values: Vec<Value<'_>> = fields.take_borrowed(era_tag::VALUES)?.unwrap_or_default();
    let operations: Vec<Stamp> = fields.take_borrowed(era_tag::OPERATIONS)?.unwrap_or_default();
    let operations = Operations::from_sorted(operations)
        .ok_or_else(|| corrupt("the operations are not sorted, or too many"))?;
    Ok(Era {
        id: fields.take(era_tag::ID)?,
        user: user.map(Arc::from),
        authenticated_at: fields.take_borrowed(era_tag::AUTHENTICATED_AT)?,
        hard_deadline: fields.take(era_tag::HARD_DEADLINE)?,
        idle: fields.take(era_tag::IDLE)?,
        last_seen: fields.take(era_tag::LAST_SEEN)?,
        secrets: Secrets::from_newest_first(secrets)
            .ok_or_else(|| corrupt("the secrets are not in order, or too many"))?,
        values: Values::from_sorted(values.iter().map(decode_value).collect())
            .ok_or_else(|| corrupt("the values are not sorted by key"))?,
        rare: Rare::new(operations, fields.into_unknown()),
    })
}

fn decode_value(value: &Value<'_>) -> (Name, ValueEntry) {
    let bytes = value.bytes.map(|bytes| Arc::from(&**bytes));
    let root = value.root.unwrap_or(value.stamp);
    (value.key.into(), ValueEntry::from_parts(value.stamp, root, bytes))
}
