//! Changes as fields.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_bytes::Bytes;

use super::fields::{Reader, Writer, corrupt};
use crate::changes::{Changes, Keep, NewEra, Renewal, ValueChange};
use crate::error::Error;
use crate::name::Name;
use crate::stamp::Stamp;
use crate::time::Timestamp;
use crate::token::Verifier;

const HEAD: [u8; 2] = [0xAC, 1];

/// Tags of changes. A tag is never used again for something else.
mod tag {
    pub(super) const OPERATION: u16 = 1;
    pub(super) const ERA: u16 = 2;
    pub(super) const LAST_SEEN: u16 = 3;
    pub(super) const IDLE: u16 = 4;
    pub(super) const VALUES: u16 = 5;
    pub(super) const RENEWAL: u16 = 6;
    pub(super) const CONFIRMATION: u16 = 7;
    pub(super) const NEW_ERA: u16 = 8;
}

#[derive(Serialize, Deserialize)]
enum Value<'a> {
    Set(#[serde(borrow)] &'a Bytes),
    Remove,
    Update { seen: Option<Stamp>, value: Option<&'a Bytes> },
}

#[derive(Serialize, Deserialize)]
enum Kept<'a> {
    All,
    Nothing,
    Only(#[serde(borrow)] Vec<&'a str>),
}

#[derive(Serialize, Deserialize)]
struct Era<'a> {
    nonce: [u8; 16],
    verifier: Verifier,
    user: Option<&'a str>,
    authenticated_at: Option<Timestamp>,
    hard_deadline: Timestamp,
    #[serde(borrow)]
    keep: Kept<'a>,
}

/// The bytes of changes, for a store that sends them to other servers.
///
/// ```
/// use abide_core::{Changes, NewRecord, Record, Stamps, Timestamp, Token, codec};
///
/// let (now, stamps, token) = (Timestamp::from_millis(1_000), Stamps::new(1), Token::from_bytes([1; 32]));
/// let record = Record::create(NewRecord::new(stamps.next(now), [9; 16], token.verifier(), now));
/// let mut changes = Changes::new(stamps.next(now), record.era().unwrap().id());
/// changes.set("cart", b"3 books".as_slice());
/// assert_eq!(codec::decode_changes(&codec::encode_changes(&changes)).unwrap(), changes);
/// ```
#[must_use]
pub fn encode_changes(changes: &Changes) -> Vec<u8> {
    let mut fields = Writer::default();
    fields.put(tag::OPERATION, &changes.operation);
    fields.put(tag::ERA, &changes.era);
    fields.put_some(tag::LAST_SEEN, changes.last_seen.as_ref());
    fields.put_some(tag::IDLE, changes.idle_timeout.as_ref());
    if !changes.values.is_empty() {
        let values: Vec<_> = changes.values.iter().map(|(key, value)| (&**key, written(value))).collect();
        fields.put(tag::VALUES, &values);
    }
    let renewal = changes.renewal.map(|renewal| (renewal.from, renewal.verifier, renewal.minted));
    fields.put_some(tag::RENEWAL, renewal.as_ref());
    fields.put_some(tag::CONFIRMATION, changes.confirmation.as_ref());
    fields.put_some(tag::NEW_ERA, changes.new_era.as_deref().map(written_era).as_ref());
    fields.finish(&HEAD)
}

/// Changes from their bytes.
///
/// # Errors
///
/// [`Corrupt`](crate::ErrorKind::Corrupt), with what is wrong and never with what the bytes are. So are changes with a
/// field of an unknown tag: unlike a record, changes cannot be carried out in part.
pub fn decode_changes(bytes: &[u8]) -> Result<Changes, Error> {
    let rest =
        bytes.strip_prefix(&HEAD).ok_or_else(|| corrupt("the head is not that of changes of version 1"))?;
    let mut fields = Reader::new(rest)?;
    let values: Vec<(&str, Value<'_>)> = fields.take_borrowed(tag::VALUES)?.unwrap_or_default();
    let mut changes = Changes::new(fields.take(tag::OPERATION)?, fields.take(tag::ERA)?);
    let count = values.len();
    for (key, value) in values {
        changes.values.push((Name::from(key), read(&value)));
    }
    let mut keys: Vec<&str> = changes.values.iter().map(|(key, _)| &**key).collect();
    keys.sort_unstable();
    keys.dedup();
    if keys.len() < count {
        return Err(corrupt("a value is changed twice"));
    }
    changes.last_seen = fields.take_borrowed(tag::LAST_SEEN)?;
    changes.idle_timeout = fields.take_borrowed(tag::IDLE)?;
    let renewal: Option<(u32, Verifier, Timestamp)> = fields.take_borrowed(tag::RENEWAL)?;
    changes.renewal = renewal.map(|(from, verifier, minted)| Renewal { from, verifier, minted });
    changes.confirmation = fields.take_borrowed(tag::CONFIRMATION)?;
    let era: Option<Era<'_>> = fields.take_borrowed(tag::NEW_ERA)?;
    changes.new_era = era.map(|era| Box::new(read_era(era)));
    match fields.into_unknown().iter().next() {
        Some((tag, _)) => Err(corrupt(format!("field {tag} of changes is not known"))),
        None => Ok(changes),
    }
}

fn written(value: &ValueChange) -> Value<'_> {
    match value {
        ValueChange::Set(bytes) => Value::Set(Bytes::new(bytes)),
        ValueChange::Remove => Value::Remove,
        ValueChange::Update { seen, value } => {
            Value::Update { seen: *seen, value: value.as_deref().map(Bytes::new) }
        }
    }
}

fn read(value: &Value<'_>) -> ValueChange {
    match value {
        Value::Set(bytes) => ValueChange::Set(Arc::from(&***bytes)),
        Value::Remove => ValueChange::Remove,
        Value::Update { seen, value } => {
            ValueChange::Update { seen: *seen, value: value.map(|bytes| Arc::from(&**bytes)) }
        }
    }
}

fn written_era(era: &NewEra) -> Era<'_> {
    let keep = match &era.keep {
        Keep::All => Kept::All,
        Keep::Nothing => Kept::Nothing,
        Keep::Only(keys) => Kept::Only(keys.iter().map(Name::as_str).collect()),
    };
    Era {
        nonce: era.nonce,
        verifier: era.verifier,
        user: era.user.as_deref(),
        authenticated_at: era.authenticated_at,
        hard_deadline: era.hard_deadline,
        keep,
    }
}

fn read_era(era: Era<'_>) -> NewEra {
    let keep = match era.keep {
        Kept::All => Keep::All,
        Kept::Nothing => Keep::Nothing,
        Kept::Only(keys) => Keep::Only(keys.into_iter().map(Name::from).collect()),
    };
    NewEra::new(era.nonce, era.verifier, era.hard_deadline)
        .identity(era.user.map(Arc::from), era.authenticated_at)
        .keep(keep)
}
