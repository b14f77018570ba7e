//! Any bytes as what Redis holds of a session: `stamp ‖ record`, or a tombstone.
//!
//! Reading never panics, takes memory by what is there, and refuses whatever no store wrote as corrupt. The first bit alone
//! decides what is over, as the scripts in the server take it; and what is sealed opens as it was.

use std::sync::Arc;

use abide_core::{EndReason, ErrorKind, Record, Timestamp, codec};
use abide_redis::fuzzing::{open, seal, tombstone};
use arbitrary::Unstructured;

use crate::history;
use crate::memory::bounded;

const STAMP: usize = 16;
/// The first bit of what is over.
const OVER: u8 = 128;

/// The bytes as they are, and as the choices of a history whose copies are sealed.
pub fn envelope(input: &[u8]) {
    read(input);
    for (n, copy) in (0..).zip(history::copies(&mut Unstructured::new(input))) {
        survives(&copy.into());
        let end = tombstone(Timestamp::from_millis(n), EndReason::Other(n as u8)).expect("it is small");
        assert!(end[0] >= OVER && read(&end).is_none(), "a tombstone is over");
    }
}

fn read(bytes: &[u8]) -> Option<Arc<Record>> {
    if let Err(error) = open(bytes) {
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    let loaded = bounded(bytes, open)?;
    let says_over = bytes.first().is_some_and(|first| *first >= OVER);
    let Some(loaded) = loaded else {
        let is_ended = || codec::decode(&bytes[STAMP..]).is_ok_and(|record| record.era().is_none());
        assert!(says_over || is_ended(), "what nobody ended is not over");
        return None;
    };
    assert!(!says_over && loaded.record.era().is_some(), "what is over is not held");
    assert_eq!(loaded.version.0.to_be_bytes(), bytes[..STAMP], "scripts compare the bytes of the version");
    assert_eq!(codec::decode(&bytes[STAMP..]).expect("it was read before"), *loaded.record);
    survives(&loaded.record);
    Some(loaded.record)
}

/// A record opens as it was sealed, unless it is ended or its first bit says so.
fn survives(record: &Arc<Record>) {
    let mut sealed = seal(record).expect("far below the bound");
    assert!(sealed[0] < OVER, "a record is sealed as live");
    let opened = open(&sealed).expect("its own bytes").map(|loaded| loaded.record);
    assert_eq!(opened, record.era().is_some().then(|| record.clone()));
    sealed[0] |= OVER;
    assert!(open(&sealed).expect("a tombstone").is_none(), "the first bit decides");
}

/// Sealed records, tombstones, and the encodings that `record` starts from behind a stamp.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let of = |n: u8| {
        let choices: Vec<u8> =
            (0..150).map(|at: u8| at.wrapping_mul(n.wrapping_add(3)) ^ (at >> 3)).collect();
        history::copies(&mut Unstructured::new(&choices)).map(|copy| seal(&copy.into()).expect("small"))
    };
    let ended = tombstone(history::START, EndReason::LoggedOut).expect("small");
    let encoded = crate::record::seeds().into_iter().map(|bytes| [&[0; STAMP], &bytes[..]].concat());
    (0..8).flat_map(of).chain([ended]).chain(encoded).collect()
}
