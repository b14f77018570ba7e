//! Free ports for servers that come and go.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

/// Below the ports that outgoing connections take: while a server is down, nobody takes its port, and a client that tries
/// to connect does not meet itself there.
const FIRST: u16 = 10_000;
const COUNT: u16 = 12_000;
/// The servers of a Cluster talk to each other this far above the port that they serve at.
const BUS: u16 = 10_000;

/// What was given out. Tests run side by side, and a server that is down for a while wants its port back.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port that nobody listens at, and that nobody else in this process is given.
pub(crate) fn free() -> u16 {
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    loop {
        let random = u16::try_from(RandomState::new().build_hasher().finish() % u64::from(COUNT)).unwrap();
        let both = [FIRST + random, FIRST + random + BUS];
        let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
        if both.iter().all(|port| !given.contains(port) && is_free(port)) {
            given.extend(both);
            return both[0];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_port_is_given_twice() {
        let ports: BTreeSet<u16> = (0..1_000).map(|_| free()).collect();
        assert_eq!(ports.len(), 1_000);
    }
}
