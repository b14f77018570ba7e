//! The first frame of either side: which protocol, which cluster, who.
//!
//! ```text
//! "abide" │ oldest: u16 │ newest: u16 │ postcard of (cluster, id, address)
//! ```
//!
//! **Invariant.** The magic and the two versions stand where they stand in every version to come, so that peers that have
//! no version in common can say so to each other.

use serde::{Deserialize, Serialize};

use super::counts::Refusal;
use crate::protocol::Member;

/// The version that this build speaks, as its oldest and its newest.
pub(super) const VERSIONS: (u16, u16) = (1, 1);
/// Bytes of a greeting at most: the bound on a frame until both sides know each other.
pub(super) const LARGEST: usize = 512;

const MAGIC: &[u8; 5] = b"abide";

/// Who greets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// The oldest and the newest version that it speaks.
    pub versions: (u16, u16),
    /// The name of its cluster.
    pub cluster: String,
    /// Which process, and where it listens.
    pub member: Member,
}

#[derive(Serialize, Deserialize)]
struct Body<'a> {
    cluster: &'a str,
    member: Member,
}

impl Hello {
    /// Its bytes.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(self.versions.0.to_le_bytes());
        bytes.extend(self.versions.1.to_le_bytes());
        let body = Body { cluster: &self.cluster, member: self.member };
        postcard::to_extend(&body, bytes).expect("a vector takes everything")
    }

    /// What some bytes say. The body is read only where a version is shared: another one's may look different.
    ///
    /// # Errors
    ///
    /// [`Refusal::Garbage`] for what is no greeting, [`Refusal::Version`] for one of a version that this build does not
    /// speak.
    pub fn decode(bytes: &[u8]) -> Result<Self, Refusal> {
        let rest = bytes.strip_prefix(MAGIC).ok_or(Refusal::Garbage)?;
        let (oldest, rest) = rest.split_first_chunk().ok_or(Refusal::Garbage)?;
        let (newest, rest) = rest.split_first_chunk().ok_or(Refusal::Garbage)?;
        let versions = (u16::from_le_bytes(*oldest), u16::from_le_bytes(*newest));
        if versions.0 > VERSIONS.1 || versions.1 < VERSIONS.0 {
            return Err(Refusal::Version);
        }
        let body: Body<'_> = postcard::from_bytes(rest).map_err(|_| Refusal::Garbage)?;
        Ok(Self { versions, cluster: body.cluster.to_owned(), member: body.member })
    }

    /// Whether there can be a link to whoever greets so.
    pub(super) fn check(&self, own: &Self) -> Result<(), Refusal> {
        if self.cluster != own.cluster {
            return Err(Refusal::Cluster);
        }
        if self.member.id == own.member.id { Err(Refusal::Itself) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::NodeId;

    fn hello() -> Hello {
        let member = Member { id: NodeId(7), address: "127.0.0.1:7001".parse().unwrap() };
        Hello { versions: VERSIONS, cluster: "shop".into(), member }
    }

    #[test]
    fn a_greeting_is_read_as_it_was_written() {
        assert_eq!(Hello::decode(&hello().encode()), Ok(hello()));
    }

    #[test]
    fn a_version_that_is_not_shared_is_told_from_garbage_whatever_its_body_looks_like() {
        let mut bytes = Hello { versions: (2, 3), ..hello() }.encode();
        bytes.truncate(9);
        bytes.push(0xFF);
        assert_eq!(Hello::decode(&bytes), Err(Refusal::Version));
        assert_eq!(Hello::decode(&bytes[..8]), Err(Refusal::Garbage));
        assert_eq!(Hello::decode(b"GET / HTTP/1.1"), Err(Refusal::Garbage));
        let newer = Hello { versions: (1, 9), ..hello() };
        assert_eq!(Hello::decode(&newer.encode()), Ok(newer), "one is shared");
    }

    #[test]
    fn another_cluster_and_oneself_are_refused() {
        let other = Hello { cluster: "shop2".into(), ..hello() };
        assert_eq!(other.check(&hello()), Err(Refusal::Cluster));
        assert_eq!(hello().check(&hello()), Err(Refusal::Itself));
    }
}
