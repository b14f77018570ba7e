//! The codec on records, on damaged ones and on noise.

use abide_core::codec::{self, MAX_ENCODED, decode};
use abide_core::{EndReason, ErrorKind, NewRecord, Record, Stamp, Stamps, Timestamp, Token};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::bytes::{self, encode};
use crate::script::{COPIES, World, history};

/// One wound of an encoding.
#[derive(Clone, Debug)]
enum Wound {
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, u8),
    Drop(Index),
}

fn wound() -> impl Strategy<Value = Wound> {
    prop_oneof![
        (any::<Index>(), 1_u8..).prop_map(|(at, mask)| Wound::Flip(at, mask)),
        any::<Index>().prop_map(Wound::Cut),
        (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Wound::Insert(at, byte)),
        any::<Index>().prop_map(Wound::Drop),
    ]
}

fn strike(bytes: &mut Vec<u8>, wound: &Wound) {
    let length = bytes.len();
    if length == 0 {
        return;
    }
    match wound {
        Wound::Flip(at, mask) => bytes[at.index(length)] ^= mask,
        Wound::Cut(at) => bytes.truncate(at.index(length)),
        Wound::Insert(at, byte) => bytes.insert(at.index(length), *byte),
        Wound::Drop(at) => drop(bytes.remove(at.index(length))),
    }
}

/// What was decoded can be worked with, encoded and decoded again.
fn use_it(record: &Record) {
    assert_eq!(&decode(&encode(record)).expect("its own encoding"), record);
    assert_eq!(&record.join(record), record);
    let _ = (record.weight(), record.latest_stamp(), record.over(Timestamp::MAX), format!("{record:?}"));
}

proptest! {
    #[test]
    fn a_record_is_what_its_bytes_say(history in history()) {
        let world = World::after(&history);
        for copy in 0..COPIES {
            let record = world.copy(copy);
            let bytes = encode(record);
            prop_assert_eq!(&decode(&bytes).expect("its own encoding"), record);
            prop_assert_eq!(encode(&decode(&bytes).expect("its own encoding")), bytes);
        }
    }

    #[test]
    fn equal_records_have_equal_bytes(history in history()) {
        let world = World::after(&history);
        let [a, b] = [world.copy(0), world.copy(1)];
        prop_assert_eq!(encode(&a.join(b)), encode(&b.join(a)));
    }

    #[test]
    fn every_reason_of_an_end_survives(code in any::<u8>(), at in any::<u32>()) {
        let at = Timestamp::from_millis(u64::from(at));
        let record = Record::ended(Stamp::floor(at), at, EndReason::Other(code));
        prop_assert_eq!(decode(&encode(&record)).expect("its own encoding"), record);
    }

    #[test]
    fn noise_is_refused_without_a_panic(noise in vec(any::<u8>(), 0..200)) {
        if let Ok(record) = decode(&noise) {
            use_it(&record);
        }
    }

    #[test]
    fn noise_behind_a_head_is_refused_without_a_panic(noise in vec(any::<u8>(), 0..200)) {
        if let Ok(record) = decode(&[&bytes::HEAD[..], &noise].concat()) {
            use_it(&record);
        }
    }

    #[test]
    fn a_damaged_encoding_is_refused_or_read_without_a_panic(
        history in history(),
        wounds in vec(wound(), 1..4),
    ) {
        let mut bytes = encode(World::after(&history).copy(0));
        for wound in &wounds {
            strike(&mut bytes, wound);
        }
        if let Ok(record) = decode(&bytes) {
            use_it(&record);
        }
    }

    #[test]
    fn an_encoding_that_is_cut_short_is_never_read(history in history(), at in any::<Index>()) {
        let record = World::after(&history).copy(0).clone();
        let bytes = encode(&record);
        // A cut between two fields leaves whole fields: then it is the missing one that is noticed, unless all that
        // was cut off were fields of a newer version, which no old reader can miss.
        if let Ok(read) = decode(&bytes[..at.index(bytes.len())]) {
            let (_, own) = bytes::take_apart(&bytes);
            let (_, cut) = bytes::take_apart(&encode(&read));
            prop_assert_eq!(own, cut);
        }
    }
}

/// A record with one value of so many bytes.
fn heavy(key: &str, bytes: usize) -> Record {
    let now = Timestamp::from_millis(1);
    let new = NewRecord::new(Stamps::new(1).next(now), [1; 16], Token::from_bytes([5; 32]).verifier(), now);
    Record::create(new.value(key, vec![7; bytes]))
}

#[test]
fn what_is_too_large_to_be_read_back_is_not_written() {
    let rest = encode(&heavy("a", MAX_ENCODED / 2)).len() - MAX_ENCODED / 2;
    let largest = heavy("a", MAX_ENCODED - rest);
    assert_eq!(encode(&largest).len(), MAX_ENCODED);
    assert_eq!(decode(&encode(&largest)).expect("just as large as is read"), largest);
    let larger = heavy("a", MAX_ENCODED - rest + 1);
    assert_eq!(codec::encode(&larger).expect_err("one byte more").kind(), ErrorKind::TooLarge);
}

#[test]
fn a_join_that_is_too_large_to_be_read_back_is_not_written() {
    let joined = heavy("a", MAX_ENCODED - 1_000).join(&heavy("b", 2_000));
    assert_eq!(codec::encode(&joined).expect_err("both values").kind(), ErrorKind::TooLarge);
}
