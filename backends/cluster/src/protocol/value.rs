//! What is kept under a key, and how two copies of it are told apart and joined.

use std::fmt;
use std::sync::Arc;

use abide_core::{Record, SessionKey, codec};

use super::deeds::Deeds;
use super::user_list::UserList;

/// Sets the hash of a user's name apart from all other hashes.
const USER_LABEL: &[u8; 16] = b"abide user list1";

/// What a value is kept under.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub enum Key {
    /// A session.
    Session(SessionKey),
    /// The sessions of a user, by a hash of the user's name.
    User([u8; 16]),
}

impl Key {
    /// The name under which the list of a user is kept.
    #[must_use]
    pub fn user(name: &str) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(USER_LABEL).update(name.as_bytes());
        first_half(&hasher.finalize())
    }

    pub(crate) fn bytes(&self) -> &[u8; 16] {
        match self {
            Self::Session(key) => key.as_bytes(),
            Self::User(hash) => hash,
        }
    }
}

impl From<SessionKey> for Key {
    fn from(key: SessionKey) -> Self {
        Self::Session(key)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Session(key) => key.fmt(f),
            Self::User(hash) => write!(f, "User({:02x}{:02x}…)", hash[0], hash[1]),
        }
    }
}

/// What is kept, and what was done to it lately.
///
/// A clone shares it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Value {
    /// A session, alive or over.
    Session(#[serde(with = "super::wire::record")] Arc<Record>, Deeds),
    /// The list of a user.
    User(#[serde(with = "super::wire::user_list")] Arc<UserList>, Deeds),
}

/// A value, or that there is none.
pub(crate) type Held = Option<Value>;

/// Tells two values apart.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize,
)]
pub struct Digest(pub(crate) [u8; 16]);

impl Digest {
    /// The first half of the hash.
    pub(crate) fn of(hasher: &blake3::Hasher) -> Self {
        Self(first_half(&hasher.finalize()))
    }
}

fn first_half(hash: &blake3::Hash) -> [u8; 16] {
    std::array::from_fn(|at| hash.as_bytes()[at])
}

impl From<Digest> for u128 {
    fn from(digest: Digest) -> Self {
        Self::from_be_bytes(digest.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u128::from(*self) >> 96)
    }
}

impl Value {
    /// The session's record, `None` where it is none.
    pub(crate) fn session(&self) -> Option<&Arc<Record>> {
        match self {
            Self::Session(record, _) => Some(record),
            Self::User(..) => None,
        }
    }

    /// The list of the user, `None` where it is none.
    pub(crate) fn user_list(&self) -> Option<&Arc<UserList>> {
        match self {
            Self::User(list, _) => Some(list),
            Self::Session(..) => None,
        }
    }

    /// Whether only the memory that there was something is left.
    pub(crate) fn is_tombstone(&self) -> bool {
        match self {
            Self::Session(record, _) => record.era().is_none(),
            Self::User(list, _) => list.is_empty(),
        }
    }

    /// What was done to it lately.
    pub(crate) fn deeds(&self) -> &Deeds {
        match self {
            Self::Session(_, deeds) | Self::User(_, deeds) => deeds,
        }
    }

    /// The same after these deeds. Of a session that is over none is remembered.
    pub(crate) fn after(self, deeds: Deeds) -> Self {
        match self {
            Self::Session(record, _) if record.era().is_some() => Self::Session(record, deeds),
            Self::User(list, _) => Self::User(list, deeds),
            over @ Self::Session(..) => over,
        }
    }

    /// The bytes without the deeds. Empty where a record became too large for them, which nothing that was committed is.
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Session(record, _) => codec::encode(record).unwrap_or_default(),
            Self::User(list, _) => list.encode(),
        }
    }

    fn digest(&self, deeds: &Deeds) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.encode()).update(&deeds.encode());
        let mut digest = Digest::of(&hasher);
        // That of nothing is zero.
        digest.0[15] |= 1;
        digest
    }

    /// Tells two states apart that a caller sees: what was done lately is none of it. `known` is the digest of the value where
    /// somebody has it already.
    pub(crate) fn version(&self, known: Option<Digest>) -> Digest {
        let known = known.filter(|_| *self.deeds() == Deeds::default());
        known.unwrap_or_else(|| self.digest(&Deeds::default()))
    }

    /// How many bytes it takes: of a session as records are [weighed](abide_core::Record::weight), of a list as written.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Session(record, deeds) => record.weight() + deeds.weight(),
            Self::User(list, deeds) => list.encode().len() + deeds.weight(),
        }
    }

    fn join(&self, other: &Self) -> Self {
        match (self, other) {
            (Self::Session(one, of_one), Self::Session(two, of_two)) if !Arc::ptr_eq(one, two) => {
                Self::Session(Arc::new(one.join(two)), of_one.join(of_two))
            }
            (Self::User(one, of_one), Self::User(two, of_two)) if !Arc::ptr_eq(one, two) => {
                Self::User(Arc::new(one.join(two)), of_one.join(of_two))
            }
            // Under one key there are values of one kind alone.
            (Self::User(..), Self::Session(..)) => other.clone(),
            _ => self.clone(),
        }
    }
}

/// The digest of what is held; that of nothing is zero.
pub(crate) fn digest(held: &Held) -> Digest {
    held.as_ref().map_or(Digest::default(), |value| value.digest(value.deeds()))
}

/// What two copies of one generation know together.
pub(crate) fn join(one: &Held, two: &Held) -> Held {
    match (one, two) {
        (Some(one), Some(two)) => Some(one.join(two)),
        (one, two) => one.as_ref().or(two.as_ref()).cloned(),
    }
}
