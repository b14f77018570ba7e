//! Any bytes as a snapshot of the memory store, and damage to a valid one.
//!
//! Reading never panics, takes memory by what is there, and answers a whole snapshot or nothing; and a valid one of
//! which one byte differs, is missing, or is too many, is refused.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{Record, SessionKey};
use abide_memory::snapshot::format::{Content, decode, decode_body, encode};
use arbitrary::Unstructured;

use crate::history;
use crate::memory::bounded;

/// How long magic and version are, and how long the checksum is.
const BEFORE: usize = 12;
const AFTER: usize = 32;

/// Three bytes say how to damage a valid snapshot; the rest is a snapshot as it stands, the body of one whose checksum
/// holds, and the history of the sessions in a valid one.
pub fn snapshot(input: &[u8]) {
    for content in [bounded(input, decode), bounded(input, decode_body)].into_iter().flatten() {
        survives(&content);
    }
    let (wound, history) = input.split_at(input.len().min(3));
    let copies = history::copies(&mut Unstructured::new(history));
    let bytes = survives(&content(copies));
    let [low, high, mask] = [0, 1, 2].map(|at| wound.get(at).copied().unwrap_or_default());
    is_refused_when_struck(&bytes, usize::from(u16::from_le_bytes([low, high])) % bytes.len(), mask.max(1));
}

fn content(copies: [Record; 3]) -> Content {
    let alive = copies.into_iter().filter(|copy| copy.era().is_some());
    Content {
        not_before: history::START,
        barriers: vec![("ada".into(), history::START + Duration::from_secs(1))],
        sessions: (0..).map(|n| SessionKey::from_bytes([n; 16])).zip(alive.map(Arc::new)).collect(),
    }
}

fn survives(content: &Content) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode(content, &mut bytes).expect("a vector takes everything");
    assert_eq!(&decode(&bytes).expect("its own encoding"), content);
    bytes
}

fn is_refused_when_struck(bytes: &[u8], at: usize, mask: u8) {
    let mut struck = bytes.to_vec();
    struck[at] ^= mask;
    assert!(decode(&struck).is_err(), "byte {at} differs by {mask}");
    assert!(decode(&bytes[..at]).is_err(), "cut after {at} bytes");
    assert!(decode(&bytes[at + 1..]).is_err(), "begins behind byte {at}");
    struck[at] ^= mask;
    struck.insert(at, mask);
    assert!(decode(&struck).is_err(), "byte {at} is one too many");
    struck.remove(at);
    struck.remove(at);
    assert!(decode(&struck).is_err(), "byte {at} is missing");
}

/// Whole snapshots, and their bodies.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    (0..8_u8)
        .flat_map(|n| {
            let choices: Vec<u8> =
                (0..120).map(|at: u8| at.wrapping_mul(n.wrapping_add(5)) ^ (at >> 2)).collect();
            let bytes = survives(&content(history::copies(&mut Unstructured::new(&choices))));
            let body = bytes[BEFORE..bytes.len() - AFTER].to_vec();
            [bytes, body]
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_snapshot_is_refused_wherever_one_byte_is_struck() {
        let choices: Vec<u8> = (0..120).map(|at: u8| at.wrapping_mul(7)).collect();
        let bytes = survives(&content(history::copies(&mut Unstructured::new(&choices))));
        for at in 0..bytes.len() {
            is_refused_when_struck(&bytes, at, 1 << (at % 8));
        }
    }
}
