//! What the server's replies mean.

use abide_core::{Error, ErrorKind, Loaded, Record, Timestamp};
use redis::Value;

use crate::envelope::{self, Stored};

/// What is under a session's key.
#[derive(Debug)]
pub(crate) enum Found {
    /// Nothing.
    Missing,
    /// A tombstone.
    Over,
    /// A record. It may be past its deadline.
    Held(Loaded),
}

impl Found {
    /// Reads the reply to a `GET`.
    pub(crate) fn of(reply: Value) -> Result<Self, Error> {
        match reply {
            Value::Nil => Ok(Self::Missing),
            Value::BulkString(bytes) => match envelope::open(&bytes)? {
                Stored::Held(loaded) => Ok(Self::Held(loaded)),
                Stored::Over => Ok(Self::Over),
            },
            other => Err(unexpected(&other)),
        }
    }

    /// The record, or why there is none.
    pub(crate) fn held(self) -> Result<Loaded, Error> {
        match self {
            Self::Missing => Err(ErrorKind::Missing.into()),
            Self::Over => Err(ErrorKind::Ended.into()),
            Self::Held(loaded) => Ok(loaded),
        }
    }

    /// The record, unless it is past its deadline.
    pub(crate) fn live(self, now: Timestamp) -> Option<Loaded> {
        match self {
            Self::Held(loaded) => Some(loaded).filter(|loaded| loaded.record.over(now).is_none()),
            Self::Missing | Self::Over => None,
        }
    }
}

/// What a write on a condition came to.
#[derive(Debug)]
pub(crate) enum Written {
    /// It was done; so many replicas have it.
    Done(usize),
    /// It was not, for this is there.
    Instead(Found),
}

impl Written {
    /// Reads the reply of a script that answers 1, or what is there.
    pub(crate) fn of(reply: Value, replicas: usize) -> Result<Self, Error> {
        match reply {
            Value::Int(1) => Ok(Self::Done(replicas)),
            other => Found::of(other).map(Self::Instead),
        }
    }
}

/// Whether a record's era is that of a user.
pub(crate) fn is_of(record: &Record, user: &str) -> bool {
    record.era().and_then(|era| era.user()).is_some_and(|of| **of == *user)
}

/// The error of a reply that no command of ours has.
pub(crate) fn unexpected(reply: &Value) -> Error {
    match reply {
        Value::ServerError(error) if error.code() == "WRONGTYPE" => {
            Error::new(ErrorKind::Corrupt, "a key of the session store holds something else")
        }
        Value::ServerError(error) => {
            Error::new(ErrorKind::Unsupported, format!("redis answers with {}", error.code()))
        }
        _ => Error::new(ErrorKind::Unsupported, "redis answers with something unexpected"),
    }
}
