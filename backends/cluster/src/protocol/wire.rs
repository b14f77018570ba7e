//! How what is kept and done is written in a message: records and changes as their own codecs have them, the rest as serde does.

use std::sync::Arc;

use serde::de::Unexpected;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_bytes::Bytes;

use super::ids::{ClusterId, Member};
use super::view::View;

/// A record.
pub(crate) mod record {
    use abide_core::{Record, codec};

    use super::{Arc, Bytes, Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(record: &Arc<Record>, serializer: S) -> Result<S::Ok, S::Error> {
        let bytes = codec::encode(record).map_err(serde::ser::Error::custom)?;
        Bytes::new(&bytes).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Record>, D::Error> {
        let bytes = <&Bytes>::deserialize(deserializer)?;
        codec::decode(bytes).map(Arc::new).map_err(serde::de::Error::custom)
    }
}

/// Changes.
pub(crate) mod changes {
    use abide_core::{Changes, codec};

    use super::{Arc, Bytes, Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(changes: &Arc<Changes>, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes::new(&codec::encode_changes(changes)).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<Changes>, D::Error> {
        let bytes = <&Bytes>::deserialize(deserializer)?;
        codec::decode_changes(bytes).map(Arc::new).map_err(serde::de::Error::custom)
    }
}

/// The list of a user.
pub(crate) mod user_list {
    use crate::protocol::user_list::UserList;

    use super::{Arc, Bytes, Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(list: &Arc<UserList>, serializer: S) -> Result<S::Ok, S::Error> {
        Bytes::new(&list.encode()).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<UserList>, D::Error> {
        let bytes = <&Bytes>::deserialize(deserializer)?;
        UserList::decode(bytes).map(Arc::new).map_err(serde::de::Error::custom)
    }
}

/// Logins.
pub(crate) mod entries {
    use abide_core::users::Entry;

    use super::{Arc, Deserialize as _, Deserializer, Serialize as _, Serializer};

    pub(crate) fn serialize<S: Serializer>(entries: &Arc<[Entry]>, serializer: S) -> Result<S::Ok, S::Error> {
        entries[..].serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Arc<[Entry]>, D::Error> {
        Vec::deserialize(deserializer).map(Into::into)
    }
}

/// The kind of a refusal.
pub(crate) mod kind {
    use abide_core::ErrorKind;

    use super::{Deserialize as _, Deserializer, Serialize as _, Serializer, Unexpected};
    use serde::de::Error as _;

    /// Each at its number, for ever; new ones at the end.
    const KINDS: [ErrorKind; 12] = [
        ErrorKind::Exists,
        ErrorKind::Missing,
        ErrorKind::Ended,
        ErrorKind::Superseded,
        ErrorKind::Conflict,
        ErrorKind::Unavailable,
        ErrorKind::Ambiguous,
        ErrorKind::Corrupt,
        ErrorKind::TooLarge,
        ErrorKind::Full,
        ErrorKind::ClockSkew,
        ErrorKind::Unsupported,
    ];

    pub(crate) fn serialize<S: Serializer>(kind: &ErrorKind, serializer: S) -> Result<S::Ok, S::Error> {
        let at = KINDS.iter().position(|known| known == kind);
        let at = at.ok_or_else(|| serde::ser::Error::custom("a kind of error without a number"))?;
        (at as u8).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ErrorKind, D::Error> {
        let at = u8::deserialize(deserializer)?;
        let kind = KINDS.get(usize::from(at)).copied();
        kind.ok_or_else(|| {
            D::Error::invalid_value(Unexpected::Unsigned(at.into()), &"the number of a kind of error")
        })
    }
}

/// A view as it is written. It is one only where the protocol can work with it: somebody is in it, in order and once, and
/// there is something to own.
#[derive(Deserialize)]
pub(crate) struct WrittenView {
    cluster: ClusterId,
    number: u64,
    members: Vec<Member>,
    copies: u8,
    slots: u16,
    recovered: bool,
}

impl TryFrom<WrittenView> for View {
    type Error = &'static str;

    fn try_from(written: WrittenView) -> Result<Self, Self::Error> {
        let WrittenView { cluster, number, members, copies, slots, recovered } = written;
        let in_order = members.windows(2).all(|pair| pair[0].id < pair[1].id);
        if members.is_empty() || !in_order || number == 0 || copies == 0 || slots == 0 {
            return Err("not a view: nobody is in it, members are not in order, or there is nothing to own");
        }
        Ok(Self { cluster, number, members, copies, slots, recovered })
    }
}
