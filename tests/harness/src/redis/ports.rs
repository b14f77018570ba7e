//! Free ports for servers that come and go.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};

/// Below the ports that outgoing connections take: while a server is down, nobody takes its port, and a client that tries
/// to connect does not meet itself there.
const FIRST: u16 = 10_000;
const COUNT: u16 = 20_000;

pub(super) fn free() -> u16 {
    loop {
        let random = u16::try_from(RandomState::new().build_hasher().finish() % u64::from(COUNT)).unwrap();
        if TcpListener::bind((Ipv4Addr::LOCALHOST, FIRST + random)).is_ok() {
            return FIRST + random;
        }
    }
}
