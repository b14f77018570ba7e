//! Every message, whole, damaged, and from a newer version.

use abide_core::ErrorKind;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;

use super::{MAJOR, MAX_MESSAGE, MINOR, decode, encode, encode_newer, through};
use crate::protocol::Body;
use crate::protocol::samples::{self, bodies, message};

/// A message of every kind, as a seed makes them.
fn encoded(seed: u64) -> Vec<Vec<u8>> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let bodies = bodies(&mut rng);
    bodies.into_iter().map(|body| encode(&message(&mut rng, body)).expect("it can be said")).collect()
}

#[test]
fn there_is_a_sample_of_every_kind_of_message() {
    let kinds: Vec<u32> = encoded(1).iter().map(|bytes| kind(bytes)).collect();
    let last = kinds.iter().max().copied().unwrap_or_default();
    for kind in 0..=last {
        assert!(kinds.contains(&kind), "kind {kind}");
    }
    let next =
        encode_newer(&decode(&encoded(1)[0]).expect("a message"), Some(last + 1)).expect("a newer one");
    assert!(matches!(decode(&next).expect("a head").body, Body::Unknown { kind } if kind == last + 1));
}

/// The number of its kind.
fn kind(bytes: &[u8]) -> u32 {
    let (_, said): (super::Head, &[u8]) = postcard::take_from_bytes(&bytes[2..]).expect("a head");
    postcard::take_from_bytes(said).expect("a kind").0
}

#[test]
fn what_was_not_understood_is_not_passed_on() {
    let mut rng = fastrand::Rng::with_seed(1);
    let unknown = message(&mut rng, Body::Unknown { kind: 99 });
    assert_eq!(encode(&unknown).expect_err("nobody says it").kind(), ErrorKind::Unsupported);
}

#[test]
fn another_major_version_is_not_understood() {
    let mut bytes = encoded(1).remove(0);
    bytes[0] = MAJOR + 1;
    assert_eq!(decode(&bytes).expect_err("another version").kind(), ErrorKind::Unsupported);
}

#[test]
fn bytes_behind_a_message_of_this_version_are_refused() {
    for mut bytes in encoded(1) {
        bytes.push(0);
        assert_eq!(decode(&bytes).expect_err("nobody says more").kind(), ErrorKind::Corrupt);
    }
}

#[test]
fn a_message_that_is_too_large_is_refused_before_it_is_read() {
    let bytes = vec![MAJOR; MAX_MESSAGE + 1];
    assert_eq!(decode(&bytes).expect_err("too large").kind(), ErrorKind::Corrupt);
}

#[test]
fn a_view_that_the_protocol_cannot_work_with_is_refused() {
    for damage in samples::UNSOUND {
        let mut rng = fastrand::Rng::with_seed(1);
        let mut view = samples::view(&mut rng);
        damage(&mut view);
        let bytes =
            encode(&message(&mut rng, Body::Views { views: vec![view.clone()] })).expect("it can be said");
        assert_eq!(decode(&bytes).expect_err("it is none").kind(), ErrorKind::Corrupt, "{view:?}");
    }
}

proptest! {
    #[test]
    fn a_message_is_what_its_bytes_say(seed: u64) {
        let mut rng = fastrand::Rng::with_seed(seed);
        for body in bodies(&mut rng) {
            let message = message(&mut rng, body);
            let arrived = through(&message).expect("its own encoding");
            prop_assert_eq!(format!("{arrived:?}"), format!("{message:?}"));
            prop_assert_eq!(encode(&arrived).expect("again"), encode(&message).expect("once"));
        }
    }

    #[test]
    fn a_message_that_is_cut_short_is_refused(seed: u64, cut: Index) {
        for bytes in encoded(seed) {
            let error = decode(&bytes[..cut.index(bytes.len())]).expect_err("some of it is missing");
            prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
        }
    }

    #[test]
    fn a_damaged_message_is_refused_or_read_and_never_a_panic(seed: u64, at: Index, mask in 1_u8.., newer: bool) {
        for mut bytes in encoded(seed) {
            let at = at.index(bytes.len());
            bytes[at] ^= mask;
            bytes[1] = MINOR + u8::from(newer);
            if let Ok(message) = decode(&bytes) {
                if !matches!(message.body, Body::Unknown { .. }) {
                    through(&message).expect("what was read can be said");
                }
            }
        }
    }

    #[test]
    fn noise_is_no_message(noise in vec(any::<u8>(), 0..200)) {
        let mut versioned = vec![MAJOR, MINOR];
        versioned.extend_from_slice(&noise);
        for bytes in [&noise, &versioned] {
            if let Err(error) = decode(bytes) {
                prop_assert!(matches!(error.kind(), ErrorKind::Corrupt | ErrorKind::Unsupported));
            }
        }
    }

    #[test]
    fn what_a_newer_version_adds_at_the_end_is_skipped_and_its_new_kinds_are_told_apart(seed: u64, kind in 1_000_u32..) {
        let mut rng = fastrand::Rng::with_seed(seed);
        for body in bodies(&mut rng) {
            let message = message(&mut rng, body);
            let known = decode(&encode_newer(&message, None).expect("it can be said")).expect("it is known");
            prop_assert_eq!(format!("{known:?}"), format!("{message:?}"));
            let new = decode(&encode_newer(&message, Some(kind)).expect("it can be said")).expect("its head is");
            prop_assert_eq!((new.from, new.to, new.view), (message.from, message.to, message.view));
            let is_unknown = matches!(new.body, Body::Unknown { kind: told } if told == kind);
            prop_assert!(is_unknown);
        }
    }
}
