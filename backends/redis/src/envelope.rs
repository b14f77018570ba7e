//! What is stored of a session: `stamp ‖ record`, in one string.
//!
//! The stamp is 16 bytes that no other write ever has: equal stamps are equal records, so a compare-and-set compares
//! stamps. Its first bit says whether the session is over, so a script need not decode the record. What is left of an
//! ended session is a tombstone: a stamp of that kind, and a record without content.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use abide_core::{
    EndReason, Entropy as _, Error, ErrorKind, Loaded, Record, Stamp, SystemEntropy, Timestamp, Version,
    codec,
};

/// Bytes of a stamp.
pub(crate) const STAMP: usize = 16;
/// The first bit of a tombstone's stamp.
const OVER: u128 = 1 << 127;

/// Makes stamps: 63 random bits of the process, and a count.
#[derive(Debug)]
pub(crate) struct Versions {
    process: u64,
    count: AtomicU64,
}

impl Versions {
    /// Those of one more process.
    pub(crate) fn new() -> Result<Self, Error> {
        let mut bytes = [0; 8];
        SystemEntropy.fill(&mut bytes)?;
        Ok(Self { process: u64::from_be_bytes(bytes) >> 1, count: AtomicU64::new(0) })
    }

    fn next(&self) -> u128 {
        u128::from(self.process) << 64 | u128::from(self.count.fetch_add(1, Ordering::Relaxed))
    }

    /// A live record under a stamp of its own.
    ///
    /// # Errors
    ///
    /// [`TooLarge`](ErrorKind::TooLarge) above `most` bytes.
    pub(crate) fn seal(&self, record: &Arc<Record>, most: usize) -> Result<Sealed, Error> {
        let encoded = codec::encode(record)?;
        if encoded.len() > most {
            let detail = format!("{} bytes, at most {most} are stored in redis", encoded.len());
            return Err(Error::new(ErrorKind::TooLarge, detail));
        }
        let version = Version(self.next());
        Ok(Sealed { bytes: stamped(version, &encoded), loaded: Loaded::new(record.clone(), version) })
    }

    /// What is left of a session that ended.
    pub(crate) fn tombstone(&self, at: Timestamp, reason: EndReason) -> Result<Vec<u8>, Error> {
        let record = Record::ended(Stamp::ZERO, at, reason);
        Ok(stamped(Version(OVER | self.next()), &codec::encode(&record)?))
    }
}

/// A record as it is stored, and as it is answered.
#[derive(Debug)]
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    pub(crate) loaded: Loaded,
}

/// What a string turns out to be.
#[derive(Debug)]
pub(crate) enum Stored {
    /// A record that nobody ended. It may be past its deadline.
    Held(Loaded),
    /// A tombstone.
    Over,
}

/// The bytes of a version, as the scripts compare them.
pub(crate) fn stamp_of(version: Version) -> [u8; STAMP] {
    version.0.to_be_bytes()
}

/// Reads what is stored.
///
/// # Errors
///
/// [`Corrupt`](ErrorKind::Corrupt) where it is nothing that a store wrote.
pub(crate) fn open(bytes: &[u8]) -> Result<Stored, Error> {
    let Some((stamp, encoded)) = bytes.split_first_chunk::<STAMP>() else {
        return Err(Error::new(ErrorKind::Corrupt, "shorter than its stamp"));
    };
    let version = u128::from_be_bytes(*stamp);
    if version & OVER != 0 {
        return Ok(Stored::Over);
    }
    let record = codec::decode(encoded)?;
    // Written by somebody else: no store of ours keeps an ended record under a live stamp.
    if record.era().is_none() {
        return Ok(Stored::Over);
    }
    Ok(Stored::Held(Loaded::new(Arc::new(record), Version(version))))
}

fn stamped(version: Version, encoded: &[u8]) -> Vec<u8> {
    [&stamp_of(version), encoded].concat()
}

#[cfg(test)]
mod tests {
    use abide_core::{NewRecord, Stamps, Token};

    use super::*;

    fn record() -> Arc<Record> {
        let (now, token) = (Timestamp::from_millis(1_000), Token::from_bytes([1; 32]));
        Record::create(NewRecord::new(Stamps::new(7).next(now), [9; 16], token.verifier(), now)).into()
    }

    #[test]
    fn what_is_sealed_opens_as_it_was_and_never_twice_under_one_stamp() {
        let versions = Versions::new().unwrap();
        let (one, two) =
            (versions.seal(&record(), usize::MAX).unwrap(), versions.seal(&record(), usize::MAX).unwrap());
        let Stored::Held(held) = open(&one.bytes).unwrap() else { panic!("it is over") };
        assert_eq!((held.record, held.version), (record(), one.loaded.version));
        assert_ne!(one.loaded.version, two.loaded.version);
    }

    #[test]
    fn a_tombstone_is_over_and_says_so_in_its_first_bit() {
        let bytes =
            Versions::new().unwrap().tombstone(Timestamp::from_millis(5), EndReason::LoggedOut).unwrap();
        assert!(bytes[0] >= 128);
        assert!(matches!(open(&bytes), Ok(Stored::Over)));
    }

    #[test]
    fn what_no_store_wrote_is_corrupt() {
        let sealed = Versions::new().unwrap().seal(&record(), usize::MAX).unwrap().bytes;
        for cut in 0..sealed.len() {
            let error = open(&sealed[..cut]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{cut} bytes");
        }
    }

    #[test]
    fn a_record_above_the_limit_is_refused() {
        let error = Versions::new().unwrap().seal(&record(), 10).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::TooLarge);
    }
}
