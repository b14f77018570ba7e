//! The token of the cookie, and what derives from it.
//!
//! A [`Token`] is `key ‖ secret`, 128 random bits each, written as 43 characters of base64url. The [`SessionKey`] names
//! the session in every store and authorises nothing; the [`Secret`] proves that the caller may use it, and at rest
//! only its [`Verifier`] remains, so a dump of a store logs nobody in. People and APIs see a [`Handle`].
//!
//! `Debug` never shows a token, a secret or a key: a session appears as the start of its handle.

use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};

use crate::entropy::{Entropy, random_bytes};
use crate::error::Error;

/// Domain separation: one label for each thing that is hashed, 16 bytes so that each hash is one block.
const VERIFIER_LABEL: &[u8; 16] = b"abide verifier 1";
const HANDLE_LABEL: &[u8; 16] = b"abide handle v 1";

/// The first half of a token: the name of a session in every store, constant for its life.
///
/// Minted by the server and never reused. Knowing it authorises nothing.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SessionKey([u8; 16]);

impl SessionKey {
    /// A key from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// What people and APIs see of the session.
    #[must_use]
    pub fn handle(&self) -> Handle {
        Handle(labelled_hash(HANDLE_LABEL, &self.0))
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SessionKey({})", self.handle().short())
    }
}

/// The second half of a token.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret([u8; 16]);

impl Secret {
    /// A fresh secret.
    ///
    /// # Errors
    ///
    /// Where the random source fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, Error> {
        random_bytes(entropy).map(Self)
    }

    /// A secret from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// The only trace of a secret at rest: 128 bits of a labelled BLAKE3 hash of key and secret.
///
/// It is bound to the key, so a verifier copied into another record verifies nothing there. BLAKE3 was chosen by
/// measurement: one block takes a fifth of SHA-256's time on a processor without SHA instructions.
#[derive(Clone, Copy, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Verifier([u8; 16]);

impl Verifier {
    /// A verifier from its bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

/// Compares in constant time.
impl PartialEq for Verifier {
    fn eq(&self, other: &Self) -> bool {
        constant_time_eq::constant_time_eq_16(&self.0, &other.0)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier(…)")
    }
}

/// What people and APIs see of a session: 16 bytes of a labelled hash of its key, as 22 characters of base64url.
///
/// It is good only inside the caller's own list of sessions; nothing can be looked up by it alone.
///
/// ```
/// use abide_core::{Handle, SessionKey};
///
/// let handle = SessionKey::from_bytes([7; 16]).handle();
/// let text = handle.to_string();
/// assert_eq!(text.len(), 22);
/// assert_eq!(text.parse::<Handle>().unwrap(), handle);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Handle([u8; 16]);

impl Handle {
    /// Its bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The start of the handle: enough to follow one session through a log.
    #[must_use]
    pub fn short(&self) -> String {
        let mut text = self.to_string();
        text.truncate(8);
        text
    }
}

impl fmt::Display for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Handle({})", self.short())
    }
}

impl FromStr for Handle {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        decode::<16, 22>(text.as_bytes()).map(Self)
    }
}

/// What the session cookie carries.
///
/// ```
/// use abide_core::{SystemEntropy, Token};
///
/// let token = Token::generate(&SystemEntropy)?;
/// let text = token.encode();
/// assert_eq!(text.len(), Token::ENCODED_LEN);
/// assert_eq!(Token::parse(text.as_bytes()).unwrap(), token);
/// assert_eq!(format!("{token:?}"), format!("Token({})", token.key().handle().short()));
/// # Ok::<(), abide_core::Error>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Token {
    key: SessionKey,
    secret: Secret,
}

impl Token {
    /// Characters of an encoded token.
    pub const ENCODED_LEN: usize = 43;

    /// A fresh token: a new key and a new secret.
    ///
    /// # Errors
    ///
    /// Where the random source fails.
    pub fn generate(entropy: &dyn Entropy) -> Result<Self, Error> {
        random_bytes(entropy).map(Self::from_bytes)
    }

    /// A token from a key and a secret.
    #[must_use]
    pub const fn new(key: SessionKey, secret: Secret) -> Self {
        Self { key, secret }
    }

    /// A token from its 32 bytes.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        let (mut key, mut secret) = ([0; 16], [0; 16]);
        key.copy_from_slice(&bytes[..16]);
        secret.copy_from_slice(&bytes[16..]);
        Self::new(SessionKey(key), Secret(secret))
    }

    /// Reads the text of a cookie's value. Only the canonical form passes: 43 characters of base64url.
    ///
    /// # Errors
    ///
    /// [`TokenError`] for any other text; it never says what the text was.
    pub fn parse(text: &[u8]) -> Result<Self, TokenError> {
        decode::<32, { Self::ENCODED_LEN }>(text).map(Self::from_bytes)
    }

    /// The text for the cookie.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&self.key.0);
        bytes[16..].copy_from_slice(&self.secret.0);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The session's key.
    #[must_use]
    pub const fn key(&self) -> &SessionKey {
        &self.key
    }

    /// What the store keeps of the secret.
    #[must_use]
    pub fn verifier(&self) -> Verifier {
        let mut input = [0; 32];
        input[..16].copy_from_slice(&self.key.0);
        input[16..].copy_from_slice(&self.secret.0);
        Verifier(labelled_hash(VERIFIER_LABEL, &input))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Token({})", self.key.handle().short())
    }
}

/// The text is no token or handle. It does not carry the text, for that may be somebody's secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TokenError;

impl fmt::Display for TokenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a canonical base64url text of the expected length")
    }
}

impl std::error::Error for TokenError {}

pub(crate) fn decode<const N: usize, const LEN: usize>(text: &[u8]) -> Result<[u8; N], TokenError> {
    if text.len() != LEN {
        return Err(TokenError);
    }
    let mut bytes = [0; N];
    match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
        Ok(length) if length == N => Ok(bytes),
        _ => Err(TokenError),
    }
}

/// The first 16 bytes of BLAKE3 over the label and `input`, which must fit one block with it.
pub(crate) fn labelled_hash(label: &[u8; 16], input: &[u8]) -> [u8; 16] {
    let mut block = [0; 64];
    let end = 16 + input.len();
    block[..16].copy_from_slice(label);
    block[16..end].copy_from_slice(input);
    let hash = blake3::hash(&block[..end]);
    let mut short = [0; 16];
    short.copy_from_slice(&hash.as_bytes()[..16]);
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_canonical_text_is_a_token() {
        let token = Token::from_bytes([0xA5; 32]);
        let text = token.encode();
        assert_eq!(Token::parse(text.as_bytes()), Ok(token));
        assert!(Token::parse(&text.as_bytes()[..42]).is_err(), "short");
        assert!(Token::parse(format!("{text}=").as_bytes()).is_err(), "padded");
        assert!(Token::parse(&[0xFF; 43]).is_err(), "binary");
        // The last character carries two bits that no token uses; another one there is another text of the same
        // bytes, and a session must have one text only.
        let mut twin = text.into_bytes();
        twin[42] += 1;
        assert!(Token::parse(&twin).is_err(), "not canonical");
    }

    #[test]
    fn a_verifier_is_bound_to_its_key() {
        let secret = Secret::from_bytes([3; 16]);
        let one = Token::new(SessionKey::from_bytes([1; 16]), secret);
        let two = Token::new(SessionKey::from_bytes([2; 16]), secret);
        assert_ne!(one.verifier(), two.verifier());
    }

    #[test]
    fn debug_shows_neither_secret_nor_key() {
        let token = Token::from_bytes([0xA5; 32]);
        let shown = format!("{token:?} {:?} {:?}", token.key(), token.verifier());
        let text = token.encode();
        assert!(!shown.contains(&text[..8]) && !shown.contains("165"), "{shown}");
    }
}
