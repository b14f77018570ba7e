//! What is in a user's list.
//!
//! | member | score |
//! |---|---|
//! | `p` ‖ entry | a login that is under way: the deadline of its session |
//! | `s` ‖ entry | a login that its session shows: the deadline |
//! | `o` ‖ entry | one that later logins outnumbered, and that is about to be ended: the deadline |
//! | `b` | from when on logins count, and ten minutes: it is swept when no request in flight can meet it any more |
//!
//! An entry is the session's key and when its user proved who they are, in milliseconds as 6 bytes.

use std::time::Duration;

use abide_core::{Record, SessionKey, Timestamp};
use redis::Value;

/// How long a barrier stands: longer than any request that began before it.
pub(super) const BARRIER_STANDS: Duration = Duration::from_secs(600);
/// The kinds of entries.
pub(super) const KINDS: [u8; 3] = *b"pso";

const BYTES: usize = 22;

/// A login in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) key: SessionKey,
    pub(crate) login: Timestamp,
}

impl Entry {
    /// The entry of a record with a user.
    pub(crate) fn of(key: &SessionKey, record: &Record) -> Option<Self> {
        let era = record.era()?;
        era.user()?;
        Some(Self { key: *key, login: era.authenticated_at().unwrap_or_default() })
    }

    pub(super) fn bytes(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        bytes[..16].copy_from_slice(self.key.as_bytes());
        bytes[16..].copy_from_slice(&self.login.as_millis().to_be_bytes()[2..]);
        bytes
    }

    pub(super) fn member(&self, kind: u8) -> Vec<u8> {
        [&[kind][..], &self.bytes()].concat()
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; BYTES] = bytes.try_into().ok()?;
        let (key, login) = bytes.split_first_chunk::<16>()?;
        let mut millis = [0; 8];
        millis[2..].copy_from_slice(login);
        Some(Self {
            key: SessionKey::from_bytes(*key),
            login: Timestamp::from_millis(u64::from_be_bytes(millis)),
        })
    }
}

/// The entries of a reply, of these kinds; the barrier is none.
pub(super) fn entries(reply: Vec<Value>, kinds: &[u8]) -> Vec<Entry> {
    let of = |member| match member {
        Value::BulkString(bytes) => {
            let (kind, entry) = bytes.split_first()?;
            kinds.contains(kind).then(|| Entry::parse(entry))?
        }
        _ => None,
    };
    reply.into_iter().filter_map(of).collect()
}

/// Entries that stand alone, without a kind.
pub(super) fn bare(reply: Vec<Value>) -> Vec<Entry> {
    let of = |member| match member {
        Value::BulkString(bytes) => Entry::parse(&bytes),
        _ => None,
    };
    reply.into_iter().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read_as_it_was_written_and_nothing_else_is_one() {
        let entry =
            Entry { key: SessionKey::from_bytes([7; 16]), login: Timestamp::from_millis(1_700_000_000_123) };
        let member = |bytes: &[u8]| Value::BulkString(bytes.to_vec());
        let reply = vec![
            member(&entry.member(b's')),
            member(b"b"),
            member(b""),
            member(&entry.bytes()),
            member(&[entry.member(b's'), vec![0]].concat()),
        ];
        assert_eq!(entries(reply, &KINDS), [entry]);
        assert_eq!(bare(vec![member(&entry.bytes()), member(b"b")]), [entry]);
    }
}
