//! Any bytes as an encoded record, and commits and joins of records.
//!
//! Decoding never panics and takes memory by what is there; what decodes, or was made by commits, is encoded into
//! bytes that decode to the same record; and copies join by the laws, also those that nobody wrote by the rules.

use std::time::Duration;

use abide_core::codec::{decode, encode};
use abide_core::{Changes, CommitRules, Record, Stamps, Timestamp};
use arbitrary::Unstructured;

use crate::history;
use crate::memory::bounded;

/// What every encoded record begins with.
const HEAD: [u8; 2] = [0xAB, 1];

/// The first byte says where the input is parted: before, an encoded record; behind, another one, and a history of
/// commits.
pub fn record(input: &[u8]) {
    let (at, rest) = input.split_first().unwrap_or((&0, &[]));
    let (one, two) = rest.split_at(usize::from(*at).min(rest.len()));
    let copies = history::copies(&mut Unstructured::new(two));
    for copy in &copies {
        survives(copy);
    }
    laws(&copies[0], &copies[1], &copies[2]);
    for (one, two) in [(read(input), read(rest)), (read_body(one), read_body(two))] {
        if let (Some(one), Some(two)) = (&one, &two) {
            laws(one, two, &copies[0]);
        }
        for read in [one, two].iter().flatten() {
            laws(read, &copies[0], &copies[1]);
            goes_on(read);
        }
    }
}

fn read_body(bytes: &[u8]) -> Option<Record> {
    read(&[&HEAD, bytes].concat())
}

fn read(bytes: &[u8]) -> Option<Record> {
    let record = bounded(bytes, decode)?;
    let written = survives(&record);
    assert!(written.len() <= bytes.len(), "no record has a shorter form than its own");
    Some(record)
}

/// The record's bytes, which say what it is, and take little more than what sizes are limited by.
fn survives(record: &Record) -> Vec<u8> {
    let bytes = encode(record).expect("far below the bound");
    assert_eq!(&decode(&bytes).expect("its own encoding"), record);
    assert!(bytes.len() <= 2 * record.weight(), "{} bytes, weighed {}", bytes.len(), record.weight());
    bytes
}

fn laws(a: &Record, b: &Record, c: &Record) {
    let both = a.join(b);
    assert_eq!(both, b.join(a), "whoever meets whom");
    assert_eq!(both.join(c), a.join(&b.join(c)), "in whatever order");
    assert_eq!(both.join(b), both, "what is known changes nothing");
    assert_eq!(&a.join(a), a, "nor does the copy itself");
    survives(&both);
}

/// Work goes on with a record that was read, whatever it says.
fn goes_on(record: &Record) {
    let _ = (record.over(Timestamp::MAX), record.latest_stamp(), format!("{record:?}"));
    let Some(era) = record.era() else { return };
    let now = era.last_seen();
    let _ = era.secrets().check(abide_core::Verifier::from_bytes([0; 16]), now, Duration::MAX);
    let stamp = Stamps::new(7).next_after(now, record.latest_stamp());
    let mut changes = Changes::new(stamp, era.id());
    changes.set("key 0", b"more".as_slice());
    changes.seen_at(now);
    changes.renew(era.secrets().newest(), abide_core::Verifier::from_bytes([9; 16]), now);
    changes.confirm(era.secrets().newest(), now);
    if let Ok(Some(next)) = record.commit(&changes, &CommitRules::at(now)) {
        survives(&next);
    }
}

/// Pairs of encoded records, each with a field that this version does not know.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let bodies: Vec<_> = (0..8_u8).flat_map(bodies).collect();
    let pairs = bodies.windows(2).map(|pair| {
        let at = u8::try_from(pair[0].len()).unwrap_or(u8::MAX);
        [&[at], &pair[0][..], &pair[1][..]].concat()
    });
    let whole = bodies.iter().map(|body| [&HEAD[..], body].concat());
    pairs.chain(whole).collect()
}

fn bodies(n: u8) -> impl Iterator<Item = Vec<u8>> {
    let choices: Vec<u8> = (0..150).map(|at: u8| at.wrapping_mul(n.wrapping_add(3)) ^ (at >> 3)).collect();
    let copies = history::copies(&mut Unstructured::new(&choices));
    (n..).zip(copies).map(|(foreign, copy)| {
        let bytes = encode(&copy).expect("small");
        // A tag behind those of today, a length, and so many bytes.
        [&bytes[HEAD.len()..], &[100, 1, foreign]].concat()
    })
}
