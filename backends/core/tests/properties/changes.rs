//! Changes on the wire, whole, damaged and from a newer writer.

use std::time::Duration;

use abide_core::codec::{decode_changes, encode_changes};
use abide_core::{Changes, ErrorKind, Keep, NewEra, NewRecord, Record, Stamp, Stamps, Timestamp, Verifier};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::Index;

use crate::script::START;

fn stamp(at: u64) -> Stamp {
    Stamps::new(at).next(Timestamp::from_millis(at))
}

/// Changes of any kind, by operations of the interface.
fn any_changes() -> impl Strategy<Value = Changes> {
    let bytes = || vec(any::<u8>(), 0..40);
    let values = vec(("[a-z]{0,30}", 0..3_u8, bytes(), option::of(any::<u64>())), 0..6);
    let times = (option::of(any::<u64>()), option::of(any::<Duration>()));
    let secrets = (option::of(any::<(u32, [u8; 16], u64)>()), option::of(any::<(u32, u64)>()));
    let era = option::of((
        any::<[u8; 16]>(),
        option::of("[a-z]{0,9}"),
        any::<u64>(),
        option::of(vec("[a-z]{0,4}", 0..3)),
    ));
    (any::<u64>(), values, times, secrets, era).prop_map(
        |(at, values, (seen, idle), (renewal, confirmation), era)| {
            let record = NewRecord::new(stamp(at), [1; 16], Verifier::from_bytes([2; 16]), START);
            let mut changes =
                Changes::new(stamp(at), Record::create(record).era().expect("it is alive").id());
            for (key, kind, bytes, saw) in values {
                match kind {
                    0 => changes.set(key.as_str(), bytes),
                    1 => changes.remove(key.as_str()),
                    _ => changes.update(key.as_str(), saw.map(stamp), saw.map(|_| bytes.into())),
                }
            }
            seen.into_iter().for_each(|at| changes.seen_at(Timestamp::from_millis(at)));
            idle.into_iter().for_each(|timeout| changes.set_idle_timeout(timeout));
            if let Some((from, verifier, at)) = renewal {
                changes.renew(from, Verifier::from_bytes(verifier), Timestamp::from_millis(at));
            }
            confirmation.into_iter().for_each(|(n, at)| changes.confirm(n, Timestamp::from_millis(at)));
            if let Some((nonce, user, at, keep)) = era {
                let keep = keep.map_or(Keep::All, |keys| {
                    Keep::Only(keys.iter().map(|key| key.as_str().into()).collect())
                });
                let era = NewEra::new(nonce, Verifier::from_bytes(nonce), Timestamp::from_millis(at));
                changes.open_era(era.identity(user.map(Into::into), None).keep(keep));
            }
            changes
        },
    )
}

proptest! {
    #[test]
    fn changes_are_what_their_bytes_say(changes in any_changes()) {
        prop_assert_eq!(decode_changes(&encode_changes(&changes)).expect("its own encoding"), changes);
    }

    #[test]
    fn damaged_changes_are_refused_or_read_and_never_a_panic(
        changes in any_changes(), at in any::<Index>(), mask in 1_u8.., cut in any::<Index>()
    ) {
        let mut bytes = encode_changes(&changes);
        let at = at.index(bytes.len());
        bytes[at] ^= mask;
        let _ = decode_changes(&bytes);
        bytes.truncate(cut.index(bytes.len()));
        let error = decode_changes(&bytes[..bytes.len().min(1)]).expect_err("nothing is left of them");
        prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
        let _ = decode_changes(&bytes);
    }

    #[test]
    fn noise_is_no_changes(noise in vec(any::<u8>(), 0..300)) {
        let mut bytes = vec![0xAC, 1];
        bytes.extend_from_slice(&noise);
        for bytes in [&noise, &bytes] {
            if let Err(error) = decode_changes(bytes) {
                prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
            }
        }
    }

    /// What a record has in part is a record; what changes do in part is something else.
    #[test]
    fn changes_of_a_newer_writer_are_refused_whole(changes in any_changes()) {
        let mut bytes = encode_changes(&changes);
        // Tag 100, one byte.
        bytes.extend_from_slice(&[100, 1, 7]);
        let error = decode_changes(&bytes).expect_err("the field is not known");
        prop_assert_eq!(error.kind(), ErrorKind::Corrupt);
    }
}
