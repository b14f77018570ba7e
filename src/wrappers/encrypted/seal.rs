//! The form of a value at rest.
//!
//! | bytes | what |
//! |---|---|
//! | 1 | the version of this form |
//! | 4 | the id of the key |
//! | 24 | the nonce, random |
//! | n + 16 | the value encrypted, and the tag |
//!
//! The tag also covers version, key id, session key and the value's name, so none of them can be another.

use std::fmt;
use std::sync::Arc;

use abide_core::entropy::random_bytes;
use abide_core::{Entropy, Error, ErrorKind, SessionKey};
use chacha20poly1305::aead::{Aead, Payload};

use super::keys::{KeyId, KeyRing};

const VERSION: u8 = 1;
const ID: usize = 4;
const NONCE: usize = 24;
const TAG: usize = 16;

/// By how much a value is larger at rest.
pub(super) const OVERHEAD: usize = 1 + ID + NONCE + TAG;

/// Why stored bytes are not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// They are not of this form: too short, or of another version.
    Form,
    /// No key of this id is in the ring.
    UnknownKey(KeyId),
    /// They were changed, or belong to another session or another name.
    Tag,
}

impl Damage {
    pub(super) fn of(self, name: &str) -> Error {
        Error::new(ErrorKind::Corrupt, format!("the value of {name:?} {self}"))
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Form => f.write_str("is not encrypted as this version expects"),
            Self::UnknownKey(id) => {
                write!(f, "is encrypted under the key {id:?}, which this server does not have")
            }
            Self::Tag => f.write_str("was changed in the store, or belongs to another session or name"),
        }
    }
}

impl KeyRing {
    pub(super) fn seal(
        &self,
        key: &SessionKey,
        name: &str,
        value: &[u8],
        entropy: &dyn Entropy,
    ) -> Result<Arc<[u8]>, Error> {
        let nonce: [u8; NONCE] = random_bytes(entropy)?;
        let id = self.current.id;
        let aad = bound_to(id, key, name);
        let sealed = self.current.cipher.encrypt(&nonce.into(), Payload { msg: value, aad: &aad });
        // Past 256 GiB the cipher refuses; no record is that large.
        let sealed = sealed.map_err(|_| Error::from(ErrorKind::TooLarge))?;
        Ok([&[VERSION], &id.0[..], &nonce, &sealed].concat().into())
    }

    pub(super) fn unseal(&self, key: &SessionKey, name: &str, stored: &[u8]) -> Result<Arc<[u8]>, Damage> {
        let (id, nonce, sealed) = parts(stored).ok_or(Damage::Form)?;
        let aad = bound_to(id, key, name);
        let mut damage = Damage::UnknownKey(id);
        for candidate in self.of(id) {
            match candidate.cipher.decrypt(&nonce.into(), Payload { msg: sealed, aad: &aad }) {
                Ok(value) => return Ok(value.into()),
                Err(_) => damage = Damage::Tag,
            }
        }
        Err(damage)
    }
}

fn parts(stored: &[u8]) -> Option<(KeyId, [u8; NONCE], &[u8])> {
    let rest = stored.strip_prefix(&[VERSION])?;
    let (id, rest) = rest.split_first_chunk()?;
    let (nonce, sealed) = rest.split_first_chunk()?;
    Some((KeyId(*id), *nonce, sealed))
}

/// The name comes last: all before it has one length.
fn bound_to(id: KeyId, key: &SessionKey, name: &str) -> Vec<u8> {
    [&[VERSION], &id.0[..], key.as_bytes(), name.as_bytes()].concat()
}
