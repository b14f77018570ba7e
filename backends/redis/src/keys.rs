//! The names of the keys.
//!
//! | key | what |
//! |---|---|
//! | `PREFIXs:KEY` | a session, by its key as 22 characters of base64url |
//! | `PREFIXu:HASH` | a user's list, by 16 bytes of a keyed hash of the user as 22 characters of base64url |

use std::sync::Arc;

use abide_core::SessionKey;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Names of users are personal, and may be long.
const USER_CONTEXT: &str = "abide-redis 2026-11-22 the key of a user's list";

/// The names under one prefix.
#[derive(Clone, Debug)]
pub(crate) struct Keys {
    prefix: Arc<str>,
}

impl Keys {
    pub(crate) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.into() }
    }

    pub(crate) fn session(&self, key: &SessionKey) -> Vec<u8> {
        self.named("s:", key.as_bytes())
    }

    pub(crate) fn user(&self, user: &str) -> Vec<u8> {
        let hash = blake3::derive_key(USER_CONTEXT, user.as_bytes());
        self.named("u:", &hash[..16])
    }

    /// A pattern that matches every session.
    pub(crate) fn sessions(&self) -> String {
        format!("{}s:*", self.prefix)
    }

    /// The session of a name that the pattern matched.
    pub(crate) fn parse_session(&self, name: &[u8]) -> Option<SessionKey> {
        let text = name.strip_prefix(self.prefix.as_bytes())?.strip_prefix(b"s:")?;
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(SessionKey::from_bytes(bytes.try_into().ok()?))
    }

    fn named(&self, kind: &str, bytes: &[u8]) -> Vec<u8> {
        let mut name = String::with_capacity(self.prefix.len() + 24);
        name.push_str(&self.prefix);
        name.push_str(kind);
        URL_SAFE_NO_PAD.encode_string(bytes, &mut name);
        name.into_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_session_tells_its_key_and_no_other_name_does() {
        let (keys, key) = (Keys::new("app:"), SessionKey::from_bytes([7; 16]));
        let name = keys.session(&key);
        assert!(name.starts_with(b"app:s:") && name.len() == "app:s:".len() + 22);
        assert_eq!(keys.parse_session(&name), Some(key));
        let mut longer = name.clone();
        longer.push(b'A');
        for other in [keys.user("ada"), name[1..].to_vec(), longer] {
            assert_eq!(keys.parse_session(&other), None);
        }
    }

    #[test]
    fn the_name_of_a_users_list_does_not_tell_the_user() {
        let name = String::from_utf8(Keys::new("app:").user("ada@example.org")).unwrap();
        assert!(name.starts_with("app:u:") && !name.contains("ada"));
    }
}
