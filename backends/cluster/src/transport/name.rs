//! The name that keeps clusters apart.

use std::fmt;
use std::str::FromStr;

use rustls::pki_types::ServerName;

use super::SettingsError;

/// A cluster's name: a DNS name, for it stands in every certificate. No name has to resolve to anything.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ClusterName(String);

impl ClusterName {
    /// A name such as `abide` or `shop.sessions`.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] where it is not a DNS name of at most 200 characters in lower case.
    pub fn new(name: impl Into<String>) -> Result<Self, SettingsError> {
        let name = name.into();
        let is_name = matches!(ServerName::try_from(name.as_str()), Ok(ServerName::DnsName(_)));
        if is_name && name.len() <= 200 && !name.chars().any(|c| c.is_ascii_uppercase() || c == '*') {
            return Ok(Self(name));
        }
        Err(SettingsError::new(format!(
            "cluster name {name:?}, expected a DNS name in lower case such as shop.sessions"
        )))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(super) fn as_server_name(&self) -> ServerName<'static> {
        ServerName::try_from(self.0.clone()).expect("was one when the name was made")
    }
}

impl Default for ClusterName {
    fn default() -> Self {
        Self("abide".to_owned())
    }
}

impl FromStr for ClusterName {
    type Err = SettingsError;

    fn from_str(name: &str) -> Result<Self, SettingsError> {
        Self::new(name)
    }
}

impl fmt::Display for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ClusterName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clusters_name_is_a_dns_name_in_lower_case() {
        for good in ["abide", "shop.sessions", "a-1", "under_score"] {
            assert_eq!(good.parse::<ClusterName>().unwrap().as_str(), good);
        }
        for bad in ["", "127.0.0.1", "Shop", "*.shop", "a b", "ä", "-", &"a.".repeat(101)] {
            assert!(ClusterName::new(bad).is_err(), "{bad}");
        }
    }
}
