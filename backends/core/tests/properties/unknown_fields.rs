//! An old reader keeps what a new writer wrote.

use std::time::Duration;

use abide_core::{
    Changes, CommitRules, EndReason, Ended, NewEra, NewRecord, Record, Stamps, Timestamp, Token, codec,
};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use crate::bytes::{Fields, encode, foreign, put_together, take_apart, with_foreign};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn record() -> Record {
    let token = Token::from_bytes([5; 32]);
    let new = NewRecord::new(Stamps::new(1).next(NOW), [1; 16], token.verifier(), NOW);
    Record::create(new.value("a", b"1".as_slice()))
}

/// What a server of this version does to a record that it read from bytes.
fn rewrite(bytes: &[u8], change: impl FnOnce(&mut Changes)) -> Vec<u8> {
    let record = codec::decode(bytes).expect("a record with unknown fields");
    let operation = Stamps::new(2).next_after(NOW, record.latest_stamp());
    let mut changes = Changes::new(operation, record.era().expect("it lives").id());
    change(&mut changes);
    let committed = record.commit(&changes, &CommitRules::at(NOW)).expect("an ordinary commit");
    encode(&committed.expect("it changes something"))
}

fn log_in(changes: &mut Changes) {
    let token = Token::from_bytes([6; 32]);
    let new = NewEra::new([7; 16], token.verifier(), NOW + Duration::from_secs(3600));
    changes.open_era(new.user("ada", NOW));
}

/// Tags above those of this version, with any bytes.
fn unknown() -> impl Strategy<Value = Fields> {
    btree_map(100..u16::MAX, vec(any::<u8>(), 0..40), 0..8).prop_map(|map| map.into_iter().collect())
}

fn of_tags_above_99(fields: &[(u16, Vec<u8>)]) -> Fields {
    fields.iter().filter(|(tag, _)| *tag > 99).cloned().collect()
}

proptest! {
    #[test]
    fn fields_of_a_newer_version_survive_a_commit_byte_for_byte(own in unknown(), of_era in unknown()) {
        let (mut known, era) = take_apart(&encode(&record()));
        let mut era = era.expect("it lives");
        known.extend(own.clone());
        era.extend(of_era.clone());
        let written = rewrite(&put_together(known, Some(era)), |changes| {
            changes.set("b", b"2".as_slice());
        });
        let (known, era) = take_apart(&written);
        prop_assert_eq!(of_tags_above_99(&known), own);
        prop_assert_eq!(of_tags_above_99(&era.expect("it lives")), of_era);
    }

    #[test]
    fn those_of_the_record_survive_a_login_and_those_of_the_era_end_with_it(
        own in unknown(),
        of_era in unknown(),
    ) {
        let (mut known, era) = take_apart(&encode(&record()));
        let mut era = era.expect("it lives");
        known.extend(own.clone());
        era.extend(of_era);
        let written = rewrite(&put_together(known, Some(era)), log_in);
        let (known, era) = take_apart(&written);
        prop_assert_eq!(of_tags_above_99(&known), own);
        prop_assert_eq!(of_tags_above_99(&era.expect("it lives")), vec![]);
    }
}

#[test]
fn a_field_between_known_ones_is_kept_as_well() {
    // Tag 50 is unknown today, and stands behind every known tag of both levels; tag 0 stands before them.
    for tag in [0, 50] {
        let start = with_foreign(&with_foreign(&record(), true, tag, b"era"), false, tag, b"own");
        let written = rewrite(&encode(&start), |changes| changes.remove("a"));
        let end = codec::decode(&written).unwrap();
        assert_eq!(foreign(&end, false, tag).as_deref(), Some(&b"own"[..]));
        assert_eq!(foreign(&end, true, tag).as_deref(), Some(&b"era"[..]));
    }
}

#[test]
fn copies_that_know_different_fields_know_both_after_they_met() {
    let one = with_foreign(&record(), true, 101, b"one");
    let two = with_foreign(&record(), true, 102, b"two");
    let both = one.join(&two);
    assert_eq!(foreign(&both, true, 101).as_deref(), Some(&b"one"[..]));
    assert_eq!(foreign(&both, true, 102).as_deref(), Some(&b"two"[..]));
}

/// Each copy may have been written by another version; what they know together must not be lost to a reader.
#[test]
fn a_join_of_copies_with_many_foreign_fields_can_be_read_back() {
    let with = |tags: std::ops::Range<u16>| {
        let (mut own, era) = take_apart(&encode(&record()));
        let mut era = era.expect("it lives");
        own.extend(tags.clone().map(|tag| (tag, vec![1])));
        era.extend(tags.map(|tag| (tag, vec![2])));
        codec::decode(&put_together(own, Some(era))).expect("many fields")
    };
    let both = with(100..160).join(&with(140..u16::MAX));
    assert_eq!(codec::decode(&encode(&both)).expect("its own encoding"), both);
    assert_eq!(foreign(&both, true, u16::MAX - 1).as_deref(), Some(&[2][..]));
}

#[test]
fn an_end_drops_the_fields_of_newer_versions_with_the_content() {
    let start = with_foreign(&with_foreign(&record(), true, 101, b"era"), false, 101, b"own");
    let mut over = start.over(Timestamp::MAX).unwrap();
    over.reason = EndReason::LoggedOut;
    let ended: Ended = over;
    let end = start.end(ended);
    assert_eq!(foreign(&end, false, 101), None);
    assert_eq!(end.over(NOW).map(|over| over.reason), Some(EndReason::LoggedOut));
}
