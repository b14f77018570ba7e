//! What the sessions hold.

use serde::{Deserialize, Serialize};

/// The key of the profile.
pub(crate) const PROFILE: &str = "profile";
/// The key of the counter, a `u64`.
pub(crate) const COUNTER: &str = "n";
/// The key under which a kind that has no notion of users keeps the user.
pub(crate) const USER: &str = "user";
/// Bytes of an encoded profile.
pub(crate) const PROFILE_BYTES: usize = 512;

/// The value that is read: 512 bytes of JSON.
#[derive(Deserialize, Serialize)]
pub(crate) struct Profile {
    pub(crate) name: String,
    roles: Vec<String>,
    note: String,
}

impl Profile {
    /// The one profile that every session holds.
    pub(crate) fn sample() -> Self {
        let mut profile =
            Self { name: "ada".into(), roles: vec!["admin".into(), "user".into()], note: String::new() };
        let rest = PROFILE_BYTES - profile.encode().len();
        profile.note = "x".repeat(rest);
        profile
    }

    /// Its JSON.
    pub(crate) fn encode(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("a profile is plain data")
    }
}
