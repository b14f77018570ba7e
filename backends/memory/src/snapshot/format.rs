//! The bytes of a snapshot: pure, without a file.
//!
//! ```text
//! magic      8 bytes
//! version    u32
//! not_before u64                                   the barrier of "end all", zero where there is none
//! barriers   u64, then each: raised u64, length u32, name     of "end all of a user"
//! sessions   u64, then each: key 16 bytes, length u32, record in the codec of abide-core
//! checksum   32 bytes                              BLAKE3 of everything above
//! ```
//!
//! Numbers are little-endian. The checksum finds what is torn or decayed, not what somebody forged: whoever can write
//! the file can also make its checksum.
//!
//! Decoding is bounded by the bytes that are there and cannot panic: a count or a length that promises more than
//! follows is an error before anything is allocated for it.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use abide_core::{Error, Record, SessionKey, Timestamp, codec};

/// The first byte keeps it from being taken for text.
const MAGIC: [u8; 8] = *b"\xABidesnap";
/// Of the format around the records; these have one of their own.
const VERSION: u32 = 1;
const CHECKSUM: usize = blake3::OUT_LEN;

/// What a snapshot holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    /// Requests that began before this moment are refused: the barrier of "end all".
    pub not_before: Timestamp,
    /// Users whose sessions were all ended lately, and when.
    pub barriers: Vec<(Arc<str>, Timestamp)>,
    /// Every session, by its key.
    pub sessions: Vec<(SessionKey, Arc<Record>)>,
}

/// Why bytes are not a snapshot that this version can read.
#[derive(Debug)]
#[non_exhaustive]
pub enum Damage {
    /// It begins with something else.
    Foreign,
    /// It was written by a version of another format.
    Version(u32),
    /// It is shorter than it says, or its checksum does not hold.
    Torn,
    /// Its checksum holds, but something in it cannot be.
    Wrong(&'static str),
    /// A record in it cannot be read: which, counted from one, and why.
    Record(u64, Error),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Foreign => f.write_str("it is not a snapshot of abide"),
            Self::Version(version) => {
                write!(f, "it has the format {version}, and this version of abide reads the format {VERSION}")
            }
            Self::Torn => f.write_str("it is cut short or damaged: its checksum does not hold"),
            Self::Wrong(what) => write!(f, "it is damaged: {what}"),
            Self::Record(nth, _) => write!(f, "it is damaged: the record of session {nth} cannot be read"),
        }
    }
}

impl std::error::Error for Damage {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Record(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Reads a snapshot.
///
/// # Errors
///
/// [`Damage`], which never says what a value is.
pub fn decode(bytes: &[u8]) -> Result<Content, Damage> {
    let (magic, rest) = bytes.split_first_chunk::<8>().ok_or(Damage::Foreign)?;
    if *magic != MAGIC {
        return Err(Damage::Foreign);
    }
    // Before the checksum: a newer format may have another one.
    let (version, _) = rest.split_first_chunk::<4>().ok_or(Damage::Torn)?;
    let version = u32::from_le_bytes(*version);
    if version != VERSION {
        return Err(Damage::Version(version));
    }
    let (sealed, checksum) = bytes.split_last_chunk::<CHECKSUM>().ok_or(Damage::Torn)?;
    if blake3::hash(sealed) != *checksum {
        return Err(Damage::Torn);
    }
    decode_body(sealed.get(12..).ok_or(Damage::Torn)?)
}

/// Reads what stands between the version and the checksum.
///
/// # Errors
///
/// As [`decode`].
pub fn decode_body(bytes: &[u8]) -> Result<Content, Damage> {
    let mut from = Reader(bytes);
    let not_before = from.timestamp()?;
    let mut barriers = Vec::new();
    for _ in 0..from.u64()? {
        let raised = from.timestamp()?;
        let name = std::str::from_utf8(from.counted()?).map_err(|_| Damage::Wrong("a user is not UTF-8"))?;
        barriers.push((name.into(), raised));
    }
    let mut sessions = Vec::new();
    for nth in 1..=from.u64()? {
        let key = SessionKey::from_bytes(from.array()?);
        let record = codec::decode(from.counted()?).map_err(|error| Damage::Record(nth, error))?;
        if record.era().is_none() {
            return Err(Damage::Wrong("it holds a session that is over"));
        }
        sessions.push((key, Arc::new(record)));
    }
    if !from.0.is_empty() {
        return Err(Damage::Wrong("something follows the last session"));
    }
    Ok(Content { not_before, barriers, sessions })
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], Damage> {
        let (array, rest) = self.0.split_first_chunk().ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(*array)
    }

    fn u64(&mut self) -> Result<u64, Damage> {
        self.array().map(u64::from_le_bytes)
    }

    fn timestamp(&mut self) -> Result<Timestamp, Damage> {
        self.u64().map(Timestamp::from_millis)
    }

    /// A length, and as many bytes.
    fn counted(&mut self) -> Result<&'a [u8], Damage> {
        let length = u32::from_le_bytes(self.array()?);
        let length = usize::try_from(length).map_err(|_| CUT_SHORT)?;
        let (bytes, rest) = self.0.split_at_checked(length).ok_or(CUT_SHORT)?;
        self.0 = rest;
        Ok(bytes)
    }
}

const CUT_SHORT: Damage = Damage::Wrong("a count or a length promises more than follows");

/// Writes a snapshot.
///
/// # Errors
///
/// Those of `to`, and where a record is too large to be encoded.
pub fn encode(content: &Content, to: impl Write) -> io::Result<()> {
    let mut to = Sealing { to, hasher: blake3::Hasher::new() };
    to.write_all(&MAGIC)?;
    to.write_all(&VERSION.to_le_bytes())?;
    to.u64(content.not_before.as_millis())?;
    to.u64(content.barriers.len() as u64)?;
    for (name, raised) in &content.barriers {
        to.u64(raised.as_millis())?;
        to.counted(name.as_bytes())?;
    }
    to.u64(content.sessions.len() as u64)?;
    for (key, record) in &content.sessions {
        to.write_all(key.as_bytes())?;
        to.counted(&codec::encode(record).map_err(io::Error::other)?)?;
    }
    let checksum = to.hasher.finalize();
    to.to.write_all(checksum.as_bytes())
}

/// Writes and keeps the checksum of what was written.
struct Sealing<W> {
    to: W,
    hasher: blake3::Hasher,
}

impl<W: Write> Sealing<W> {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.hasher.update(bytes);
        self.to.write_all(bytes)
    }

    fn u64(&mut self, number: u64) -> io::Result<()> {
        self.write_all(&number.to_le_bytes())
    }

    fn counted(&mut self, bytes: &[u8]) -> io::Result<()> {
        let length = u32::try_from(bytes.len()).map_err(|_| io::ErrorKind::InvalidData)?;
        self.write_all(&length.to_le_bytes())?;
        self.write_all(bytes)
    }
}

#[cfg(test)]
mod tests {
    use abide_core::{EndReason, NewRecord, Stamps, Token};
    use proptest::prelude::*;

    use super::*;

    fn record(n: u8) -> Record {
        let now = Timestamp::from_millis(1_000 + u64::from(n));
        let token = Token::from_bytes([n; 32]);
        let new = NewRecord::new(Stamps::new(1).next(now), [n; 16], token.verifier(), now);
        Record::create(new.user(format!("user {n}"), now).value("a", vec![n; usize::from(n)]))
    }

    fn content(sessions: u8) -> Content {
        Content {
            not_before: Timestamp::from_millis(5),
            barriers: vec![("ada".into(), Timestamp::from_millis(7))],
            sessions: (0..sessions).map(|n| (SessionKey::from_bytes([n; 16]), Arc::new(record(n)))).collect(),
        }
    }

    fn bytes(content: &Content) -> Vec<u8> {
        let mut bytes = Vec::new();
        encode(content, &mut bytes).unwrap();
        bytes
    }

    /// Bytes with another body, and the checksum that it deserves.
    fn sealed(body: &[u8]) -> Vec<u8> {
        let mut bytes = [&MAGIC[..], &VERSION.to_le_bytes(), body].concat();
        bytes.extend_from_slice(blake3::hash(&bytes).as_bytes());
        bytes
    }

    #[test]
    fn what_was_written_is_read() {
        for content in [Content::default(), content(0), content(40)] {
            assert_eq!(decode(&bytes(&content)).unwrap(), content);
        }
    }

    #[test]
    fn a_snapshot_cut_short_anywhere_is_refused() {
        let whole = bytes(&content(3));
        for length in 0..whole.len() {
            let damage = decode(&whole[..length]).unwrap_err();
            assert!(matches!(damage, Damage::Foreign | Damage::Torn), "{length}: {damage}");
        }
        assert!(matches!(decode(&[&whole[..], &[0]].concat()), Err(Damage::Torn)));
    }

    #[test]
    fn a_flipped_bit_anywhere_is_found() {
        let whole = bytes(&content(2));
        for bit in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(decode(&flipped).is_err(), "bit {bit}");
        }
    }

    #[test]
    fn foreign_and_newer_files_are_told_apart() {
        assert_eq!(decode(b"").unwrap_err().to_string(), "it is not a snapshot of abide");
        assert_eq!(decode(b"{\"cart\": [1]}").unwrap_err().to_string(), "it is not a snapshot of abide");
        let mut newer = bytes(&content(1));
        newer[8] = 2;
        let expected = "it has the format 2, and this version of abide reads the format 1";
        assert_eq!(decode(&newer).unwrap_err().to_string(), expected);
    }

    #[test]
    fn counts_and_lengths_that_promise_too_much_are_refused_before_anything_is_allocated() {
        let zeros = [0; 8];
        let many = u64::MAX.to_le_bytes();
        let long = u32::MAX.to_le_bytes();
        for body in [
            [&zeros[..], &many].concat(),
            [&zeros[..], &zeros, &many].concat(),
            [&zeros[..], &[1, 0, 0, 0, 0, 0, 0, 0], &zeros, &long].concat(),
            [&zeros[..], &zeros, &[1, 0, 0, 0, 0, 0, 0, 0], &[7; 16], &long].concat(),
        ] {
            let damage = decode(&sealed(&body)).unwrap_err();
            assert!(matches!(damage, Damage::Wrong(what) if what.contains("promises")), "{damage}");
        }
    }

    #[test]
    fn what_cannot_be_in_a_snapshot_is_refused_although_its_checksum_holds() {
        let mut over = content(1);
        let created = over.sessions[0].1.created();
        over.sessions[0].1 = Arc::new(Record::ended(created, Timestamp::default(), EndReason::LoggedOut));
        assert_eq!(
            decode(&bytes(&over)).unwrap_err().to_string(),
            "it is damaged: it holds a session that is over"
        );
        let whole = bytes(&content(1));
        let body = &whole[12..whole.len() - CHECKSUM];
        assert!(decode(&sealed(body)).is_ok());
        assert!(matches!(decode(&sealed(&[body, &[0]].concat())), Err(Damage::Wrong(_))));
        let mut garbled = body.to_vec();
        let at = garbled.len() - 1;
        garbled.truncate(at);
        assert!(decode(&sealed(&garbled)).is_err());
        let record = garbled.windows(2).position(|pair| pair == [0xAB, 1]).unwrap();
        garbled[record] = 0;
        garbled.push(0);
        let damage = decode(&sealed(&garbled)).unwrap_err();
        assert!(matches!(damage, Damage::Record(1, _)), "{damage}");
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_decoder_panic(body in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = decode(&body);
            let _ = decode(&sealed(&body));
        }

        #[test]
        fn a_body_changed_anywhere_is_read_or_refused_and_never_panics(
            at in any::<prop::sample::Index>(), byte in any::<u8>()
        ) {
            let whole = bytes(&content(3));
            let mut body = whole[12..whole.len() - CHECKSUM].to_vec();
            let at = at.index(body.len());
            body[at] = byte;
            let _ = decode(&sealed(&body));
        }
    }
}
