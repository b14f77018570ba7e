//! The token against cross-site requests, which derives from the era of a session.
//!
//! A [`CsrfToken`] is `mask ‖ (mask ⊕ key)`, 16 bytes each, where the key is a labelled hash of the era's nonce. So the
//! store keeps nothing more, a new era (a login, a change of privileges) makes every older token worthless, and a
//! periodic renewal of the session's secret changes nothing. The mask is new for each token: a page that is compressed
//! with something that an attacker chose does not give the key away byte by byte (BREACH).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::entropy::{Entropy, random_bytes};
use crate::error::Error;
use crate::record::EraId;
use crate::token::{decode, labelled_hash};

const CSRF_LABEL: &[u8; 16] = b"abide csrf key 1";
/// Characters of an encoded token.
const ENCODED_LEN: usize = 43;

/// What a form or a script sends back to prove that it came from a page of this session.
///
/// `Display` writes it; `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct CsrfToken(String);

impl CsrfToken {
    /// The text: 43 characters of base64url, which need no escaping in HTML, a header or a URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for CsrfToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CsrfToken(…)")
    }
}

impl EraId {
    /// A token of this era. Each call answers another text; all of them are good as long as the era lasts.
    ///
    /// # Errors
    ///
    /// Where the random source fails.
    ///
    /// ```
    /// use abide_core::{EraId, SystemEntropy};
    ///
    /// let era = EraId::first([7; 16]);
    /// let token = era.csrf_token(&SystemEntropy)?;
    /// assert!(era.verifies_csrf(token.as_str()));
    /// assert!(!era.next([8; 16]).verifies_csrf(token.as_str()));
    /// # Ok::<(), abide_core::Error>(())
    /// ```
    pub fn csrf_token(&self, entropy: &dyn Entropy) -> Result<CsrfToken, Error> {
        let mask = random_bytes::<16>(entropy)?;
        let mut bytes = [0; 32];
        bytes[..16].copy_from_slice(&mask);
        bytes[16..].copy_from_slice(&xor(mask, self.csrf_key()));
        Ok(CsrfToken(URL_SAFE_NO_PAD.encode(bytes)))
    }

    /// Whether a text is a token of this era. Compares in constant time.
    #[must_use]
    pub fn verifies_csrf(&self, text: &str) -> bool {
        let Ok(bytes) = decode::<32, ENCODED_LEN>(text.as_bytes()) else { return false };
        let (mut mask, mut masked) = ([0; 16], [0; 16]);
        mask.copy_from_slice(&bytes[..16]);
        masked.copy_from_slice(&bytes[16..]);
        constant_time_eq::constant_time_eq_16(&xor(mask, masked), &self.csrf_key())
    }

    fn csrf_key(&self) -> [u8; 16] {
        labelled_hash(CSRF_LABEL, &self.nonce())
    }
}

fn xor(one: [u8; 16], two: [u8; 16]) -> [u8; 16] {
    std::array::from_fn(|at| one[at] ^ two[at])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::SeededEntropy;

    const ERA: EraId = EraId::first([7; 16]);

    #[test]
    fn each_token_is_another_text_and_each_is_good() {
        let entropy = SeededEntropy::new(1);
        let (one, two) = (ERA.csrf_token(&entropy).unwrap(), ERA.csrf_token(&entropy).unwrap());
        for at in 0..2 {
            let half = |token: &CsrfToken| token.as_str()[at * 22..at * 22 + 21].to_owned();
            assert_ne!(half(&one), half(&two), "both halves look random");
        }
        assert!(ERA.verifies_csrf(one.as_str()) && ERA.verifies_csrf(two.as_str()));
    }

    #[test]
    fn a_token_that_differs_in_one_character_is_refused() {
        let token = ERA.csrf_token(&SeededEntropy::new(1)).unwrap();
        for at in 0..ENCODED_LEN {
            let mut text = token.to_string().into_bytes();
            text[at] = if text[at] == b'A' { b'E' } else { b'A' };
            assert!(!ERA.verifies_csrf(std::str::from_utf8(&text).unwrap()), "{at}");
        }
        for text in ["", "A", &token.as_str()[1..], &format!("{token}="), &"é".repeat(22)] {
            assert!(!ERA.verifies_csrf(text), "{text}");
        }
    }

    #[test]
    fn the_key_is_the_eras_and_not_its_nonce() {
        let token = ERA.csrf_token(&SeededEntropy::new(1)).unwrap();
        assert!(!EraId::first([8; 16]).verifies_csrf(token.as_str()));
        let bytes = decode::<32, ENCODED_LEN>(token.as_str().as_bytes()).unwrap();
        let unmasked: Vec<u8> = (0..16).map(|at| bytes[at] ^ bytes[at + 16]).collect();
        assert_ne!(unmasked, [7; 16]);
        assert!(!format!("{token:?}").contains(&token.as_str()[..8]));
    }
}
