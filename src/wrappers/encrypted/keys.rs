//! Keys: one that encrypts, and any number that only decrypt.

use std::fmt;

use abide_core::{Entropy, Error};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305};
use zeroize::Zeroizing;

/// What each derived key is for; a change of the form of a value takes other words.
const FOR_VALUES: &str = "abide 2026-11-22 session values at rest: XChaCha20-Poly1305 key";
const FOR_ID: &str = "abide 2026-11-22 session values at rest: key id";

/// A key of 32 random bytes.
///
/// It is wiped from memory when it is dropped, and `Debug` does not show it. Values are encrypted with a key that is
/// derived from it, so the same 32 bytes may serve another purpose elsewhere without harm.
///
/// ```
/// use abide::core::SystemEntropy;
/// use abide::wrappers::EncryptionKey;
///
/// let key = EncryptionKey::generate(&SystemEntropy)?;
/// assert_eq!(format!("{key:?}"), "EncryptionKey(…)");
/// # Ok::<(), abide::core::Error>(())
/// ```
pub struct EncryptionKey(pub(super) Zeroizing<[u8; Self::LENGTH]>);

impl EncryptionKey {
    /// How many bytes a key has.
    pub const LENGTH: usize = 32;

    /// A key of these bytes. They must be random: the key is as good as they are. The caller's copy is the caller's to
    /// wipe.
    #[must_use]
    pub fn from_bytes(bytes: [u8; Self::LENGTH]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// A new key.
    ///
    /// # Errors
    ///
    /// Where the random source fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, Error> {
        let mut bytes = Zeroizing::new([0; Self::LENGTH]);
        entropy.fill(&mut *bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("EncryptionKey(…)")
    }
}

/// The keys of a store: the first one encrypts, the others only decrypt what was encrypted before.
///
/// **Rotation.** With several servers, in three steps, each on all of them before the next: add the new key as one that
/// decrypts; make it the first one, and the old one a key that decrypts; take the old one away once every session that
/// was written before is over, after [`absolute_timeout`](crate::Config::absolute_timeout). With one server the first
/// step can be left out.
///
/// `Debug` shows the keys' ids, which are hashes of them, and never the keys.
///
/// ```
/// use abide::core::SystemEntropy;
/// use abide::wrappers::{EncryptionKey, KeyRing};
///
/// # let old = EncryptionKey::generate(&SystemEntropy)?;
/// let new = EncryptionKey::generate(&SystemEntropy)?;
/// let keys = KeyRing::new(new).and_decrypt_with(old);
/// # let _ = keys;
/// # Ok::<(), abide::core::Error>(())
/// ```
#[must_use]
pub struct KeyRing {
    pub(super) current: RingKey,
    pub(super) older: Vec<RingKey>,
}

impl KeyRing {
    /// A ring of one key.
    pub fn new(key: EncryptionKey) -> Self {
        Self { current: RingKey::of(&key), older: Vec::new() }
    }

    /// Adds a key that only decrypts.
    pub fn and_decrypt_with(mut self, key: EncryptionKey) -> Self {
        self.older.push(RingKey::of(&key));
        self
    }

    /// The keys of an id; two of one id are rare, and then each is tried.
    pub(super) fn of(&self, id: KeyId) -> impl Iterator<Item = &RingKey> {
        self.all().filter(move |key| key.id == id)
    }

    fn all(&self) -> impl Iterator<Item = &RingKey> {
        std::iter::once(&self.current).chain(&self.older)
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRing").field(&self.all().map(|key| key.id).collect::<Vec<_>>()).finish()
    }
}

/// Names a key in what it encrypted: four bytes of a labelled hash of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyId(pub(super) [u8; 4]);

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

/// A key as it is used. The cipher wipes its key when it is dropped.
pub(super) struct RingKey {
    pub(super) id: KeyId,
    pub(super) cipher: XChaCha20Poly1305,
}

impl RingKey {
    fn of(key: &EncryptionKey) -> Self {
        let id = Zeroizing::new(blake3::derive_key(FOR_ID, &*key.0));
        let derived = Zeroizing::new(blake3::derive_key(FOR_VALUES, &*key.0));
        Self { id: KeyId([id[0], id[1], id[2], id[3]]), cipher: XChaCha20Poly1305::new((&*derived).into()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use zeroize::ZeroizeOnDrop;

    fn is_wiped<T: ZeroizeOnDrop>(_: &T) {}

    #[test]
    fn a_key_and_the_cipher_made_of_it_are_wiped_when_they_are_dropped() {
        let key = EncryptionKey::from_bytes([1; EncryptionKey::LENGTH]);
        is_wiped(&key.0);
        is_wiped(&RingKey::of(&key).cipher);
    }

    #[test]
    fn neither_what_encrypts_nor_the_id_is_the_key_itself() {
        let key = EncryptionKey::from_bytes([1; EncryptionKey::LENGTH]);
        let (derived, id) = (blake3::derive_key(FOR_VALUES, &*key.0), blake3::derive_key(FOR_ID, &*key.0));
        assert!(derived != *key.0 && derived != id && id[..4] != key.0[..4]);
        assert_eq!(RingKey::of(&key).id.0, id[..4]);
    }
}
