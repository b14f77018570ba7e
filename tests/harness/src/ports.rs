//! Free ports for servers that come and go.

use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::net::{Ipv4Addr, TcpListener};

/// Below the ports that outgoing connections take: while a server is down, nobody takes its port, and a client that tries
/// to connect does not meet itself there.
const FIRST: u16 = 10_000;
const COUNT: u16 = 12_000;
/// The servers of a Cluster talk to each other this far above the port that they serve at.
const BUS: u16 = 10_000;

pub(crate) fn free() -> u16 {
    loop {
        let random = u16::try_from(RandomState::new().build_hasher().finish() % u64::from(COUNT)).unwrap();
        let port = FIRST + random;
        if [port, port + BUS].iter().all(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok()) {
            return port;
        }
    }
}
