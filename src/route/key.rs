//! The secret that hides servers' names.

use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::config::ConfigError;

const CONTEXT: &str = "abide 2026-11 alias of a server in a route mark";
/// Fewer could be guessed, and with them every name.
const SHORTEST: usize = 32;
/// Far above any secret.
const LARGEST: u64 = 64 * 1024;
/// Characters of an alias: 64 bits, so that two servers never share one by chance.
const ALIAS: usize = 16;

/// The secret under which servers' names become aliases: the same on every server.
///
/// ```
/// use abide::route::RouteKey;
///
/// let key = RouteKey::from_secret(b"32 bytes or more that nobody knows").unwrap();
/// let alias = key.alias("shop-eu-1");
/// assert_eq!(alias.len(), 16);
/// assert_ne!(alias, key.alias("shop-eu-2"));
/// ```
///
/// `Debug` shows nothing of it.
#[derive(Clone)]
pub struct RouteKey([u8; 32]);

impl RouteKey {
    /// A key of a secret: 32 bytes or more, white space around it left out.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a secret that is shorter.
    pub fn from_secret(secret: &[u8]) -> Result<Self, ConfigError> {
        let secret = secret.trim_ascii();
        if secret.len() < SHORTEST {
            return Err(ConfigError::new(format!(
                "the secret for route aliases has {} bytes, expected {SHORTEST} or more",
                secret.len()
            )));
        }
        Ok(Self(blake3::derive_key(CONTEXT, secret)))
    }

    /// The key of the secret in a file; `openssl rand -hex 32` makes one.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the file where it cannot be read, is too short, or has more than 64 KiB.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        let of_file = |what: String| ConfigError::new(format!("route_key_file {}: {what}", path.display()));
        let mut secret = Vec::new();
        let read = File::open(path).and_then(|file| file.take(LARGEST + 1).read_to_end(&mut secret));
        read.map_err(|source| of_file(format!("it cannot be read: {source}")).with_source(source))?;
        if secret.len() as u64 > LARGEST {
            return Err(of_file(format!("it has more than {LARGEST} bytes, expected a secret")));
        }
        Self::from_secret(&secret).map_err(|error| of_file(error.to_string()))
    }

    /// The alias of the server of this name: what a balancer's configuration calls it.
    #[must_use]
    pub fn alias(&self, node: &str) -> String {
        let mut alias = blake3::keyed_hash(&self.0, node.as_bytes()).to_hex().to_string();
        alias.truncate(ALIAS);
        alias
    }
}

impl fmt::Debug for RouteKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RouteKey")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_depends_on_the_secret_and_the_name_and_shows_neither() {
        let key = |byte| RouteKey::from_secret(&[byte; 32]).unwrap();
        let alias = key(1).alias("shop-1");
        assert_eq!(alias, key(1).alias("shop-1"));
        assert!(alias != key(2).alias("shop-1") && alias != key(1).alias("shop-2"));
        assert!(alias.len() == ALIAS && alias.bytes().all(|byte| byte.is_ascii_hexdigit()), "{alias}");
        assert_eq!(format!("{:?}", key(1)), "RouteKey");
    }

    #[test]
    fn a_secret_that_is_too_short_is_refused_without_being_shown() {
        let error = RouteKey::from_secret(b"  thirty-one bytes are not enough ").unwrap_err();
        assert!(error.to_string().contains("expected 32 or more"), "{error}");
        let error = RouteKey::from_secret(b" hush \n").unwrap_err().to_string();
        assert!(error.contains("has 4 bytes") && !error.contains("hush"), "{error}");
    }

    #[test]
    fn an_alias_stays_the_same_over_versions() {
        let key = RouteKey::from_secret(b"0123456789abcdef0123456789abcdef\n").unwrap();
        assert_eq!(
            key.alias("a"),
            RouteKey::from_secret(b"0123456789abcdef0123456789abcdef").unwrap().alias("a")
        );
        assert_eq!(key.alias("a"), "ed30af73d1e4580d");
    }
}
