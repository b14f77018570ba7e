//! The setting that says where peers may be found.

use std::net::{IpAddr, SocketAddr};

use crate::transport::SettingsError;

/// Where peers may be found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Join {
    addresses: Vec<SocketAddr>,
    names: Vec<Name>,
    expect: Option<usize>,
}

/// A name with the addresses of peers behind it, all at one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) host: String,
    pub(super) port: u16,
}

impl Join {
    /// Addresses (`10.0.0.1:7001`, `[fd00::1]:7001`) and names (`peers.shop.svc:7001`), separated by commas. `expect` says
    /// how many processes there will be when a cluster is founded. It is required beside a name, for a name that has one
    /// address so far looks like a cluster of one.
    ///
    /// # Errors
    ///
    /// [`SettingsError`] for what is neither, for an address that stands there twice, for a name without `expect`, for an
    /// `expect` of none, and for one without a name that is not the number of addresses.
    ///
    /// ```
    /// use abide_cluster::transport::Join;
    ///
    /// let join = Join::parse("10.0.0.1:7001,10.0.0.2:7001", None)?;
    /// assert_eq!(join.expect(), 2);
    /// let join = Join::parse("peers.shop.svc:7001", Some(3))?;
    /// assert_eq!(join.expect(), 3);
    /// assert!(Join::parse("peers.shop.svc:7001", None).is_err());
    /// # Ok::<(), abide_cluster::transport::SettingsError>(())
    /// ```
    pub fn parse(list: &str, expect: Option<usize>) -> Result<Self, SettingsError> {
        let mut join = Self { expect, ..Self::default() };
        for entry in list.split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            join.add(entry)?;
        }
        join.check()?;
        Ok(join)
    }

    fn add(&mut self, entry: &str) -> Result<(), SettingsError> {
        if let Ok(address) = entry.parse::<SocketAddr>() {
            if address.port() == 0 || self.addresses.contains(&address) {
                return Err(SettingsError::new(format!(
                    "join {entry:?}, expected each address once, with its port"
                )));
            }
            self.addresses.push(address);
            return Ok(());
        }
        self.names.push(name(entry).ok_or_else(|| {
            SettingsError::new(format!(
                "join {entry:?}, expected an address or a name with a port, such as 10.0.0.1:7001"
            ))
        })?);
        Ok(())
    }

    fn check(&self) -> Result<(), SettingsError> {
        match (self.names.first(), self.expect) {
            (_, Some(0)) => Err(SettingsError::new("expect 0, expected how many processes there will be")),
            (Some(name), None) => Err(SettingsError::new(format!(
                "join {:?} is a name, expected expect = n beside it: how many processes there will be",
                name.host
            ))),
            (None, Some(expect)) if expect != self.addresses.len() => Err(SettingsError::new(format!(
                "expect {expect} beside {} addresses, expected none or the same number",
                self.addresses.len()
            ))),
            _ => Ok(()),
        }
    }

    /// The addresses that were given as such.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// How many processes there will be when a cluster is founded.
    #[must_use]
    pub fn expect(&self) -> usize {
        self.expect.unwrap_or(self.addresses.len())
    }

    pub(super) fn names(&self) -> &[Name] {
        &self.names
    }
}

fn name(entry: &str) -> Option<Name> {
    let (host, port) = entry.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port != 0)?;
    let is_label = |label: &str| {
        !label.is_empty()
            && label.len() < 64
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    // A trailing dot says that the name is whole. What ends in a number is an address with an error.
    let labels = host.strip_suffix('.').unwrap_or(host);
    let is_name = labels.split('.').all(is_label)
        && !labels
            .ends_with(|c: char| c.is_ascii_digit() && !labels.contains(|c: char| c.is_ascii_alphabetic()))
        && host.parse::<IpAddr>().is_err();
    is_name.then(|| Name { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_needs_to_know_how_many_are_expected() {
        let error = Join::parse("peers.test:7001", None).unwrap_err().to_string();
        assert!(error.contains("expect = n"), "{error}");
        assert_eq!(Join::parse("peers.test.:7001, 10.0.0.1:7001", Some(5)).unwrap().expect(), 5);
        assert_eq!(Join::parse("", None).unwrap(), Join::default());
    }

    #[test]
    fn what_is_no_address_and_no_name_is_refused_by_its_text() {
        for bad in
            ["10.0.0.1", "10.0.0.256:1", "peers.test", "peers.test:0", "a b:1", ":1", "a..b:1", "10.0.0.1:0"]
        {
            let error = Join::parse(bad, Some(1)).unwrap_err().to_string();
            assert!(error.contains(&format!("{bad:?}")), "{error}");
        }
        assert!(Join::parse("10.0.0.1:1,10.0.0.1:1", None).is_err());
        assert!(Join::parse("10.0.0.1:1", Some(2)).is_err());
        assert!(Join::parse("peers.test:7001", Some(0)).is_err());
    }
}
