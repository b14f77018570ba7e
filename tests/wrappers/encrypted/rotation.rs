//! Several keys.

use abide::core::{ErrorKind, SeededEntropy};
use abide::wrappers::EncryptionKey;

use super::{at_rest, key, over, put, ring};
use crate::stage::{Requests as _, clock, memory_on, new_record, setting};

#[tokio::test]
async fn values_under_an_older_key_are_read_and_rewritten_under_the_current_one_when_next_written() {
    let memory = memory_on(&clock());
    let new = new_record(1).value("a", b"1".as_slice()).value("b", b"2".as_slice());
    over(&memory, ring([1])).open(1, new).await.unwrap();
    let both = over(&memory, ring([2, 1]));
    let loaded = both.held(1).await;
    assert_eq!(["a", "b"].map(|name| loaded.record.value(name)), [Some(&b"1"[..]), Some(b"2")]);
    let old = at_rest(&memory, 1, "b").await;
    let written = both.merge(1, &setting(&loaded.record, "a", b"3")).await.unwrap();
    assert_eq!(at_rest(&memory, 1, "b").await, old, "reading writes nothing");

    let alone = over(&memory, ring([2]));
    let error = alone.look(1).await.unwrap_err();
    assert!(error.to_string().contains("the value of \"b\""), "\"a\" is under the new key: {error}");
    both.merge(1, &setting(&written.record, "b", b"4")).await.unwrap();
    assert_eq!(alone.held(1).await.record.value("b"), Some(&b"4"[..]));
}

#[tokio::test]
async fn a_key_that_only_decrypts_never_encrypts() {
    let memory = memory_on(&clock());
    over(&memory, ring([2, 1])).open(1, new_record(1).value("a", b"1".as_slice())).await.unwrap();
    assert!(over(&memory, ring([1])).look(1).await.is_err());
    assert_eq!(over(&memory, ring([3, 4, 2])).held(1).await.record.value("a"), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_value_under_an_unknown_key_is_corrupt_until_the_key_is_back() {
    let memory = memory_on(&clock());
    over(&memory, ring([1])).open(1, new_record(1).value("a", b"1".as_slice())).await.unwrap();
    let stored = at_rest(&memory, 1, "a").await;
    let error = over(&memory, ring([2, 3])).look(1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    let id: String = stored[1..5].iter().map(|byte| format!("{byte:02x}")).collect();
    assert!(error.to_string().ends_with(&format!("under the key {id}, which this server does not have")));
    assert_eq!(at_rest(&memory, 1, "a").await, stored);
    assert_eq!(over(&memory, ring([2, 1])).held(1).await.record.value("a"), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_value_that_names_another_key_of_the_ring_does_not_decrypt() {
    let memory = memory_on(&clock());
    let store = over(&memory, ring([1, 2]));
    store.open(1, new_record(1).value("a", b"1".as_slice())).await.unwrap();
    over(&memory, ring([2])).open(2, new_record(2).value("a", b"1".as_slice())).await.unwrap();
    let (mut mine, other) = (at_rest(&memory, 1, "a").await, at_rest(&memory, 2, "a").await);
    mine[1..5].copy_from_slice(&other[1..5]);
    put(&memory, 1, "a", &mine).await;
    assert_eq!(store.look(1).await.unwrap_err().kind(), ErrorKind::Corrupt);
}

#[test]
fn debug_shows_which_keys_there_are_and_never_the_keys() {
    let key = EncryptionKey::generate(&SeededEntropy::new(7)).unwrap();
    assert_eq!(format!("{key:?}"), "EncryptionKey(…)");
    let shown = format!("{:?} {:?}", ring([1, 2]), over(&memory_on(&clock()), ring([1, 2])));
    assert!(!shown.contains("1, 1, 1") && !shown.contains("0101") && !shown.contains("0x"), "{shown}");
    let ids = format!("{:?}", ring([1, 2]));
    assert!(ids.starts_with("KeyRing([") && ids.len() == "KeyRing([12345678, 12345678])".len(), "{ids}");
}

#[test]
fn a_generated_key_is_not_the_one_before() {
    let entropy = SeededEntropy::new(7);
    let ids = [(); 2].map(|()| {
        let key = EncryptionKey::generate(&entropy).unwrap();
        format!("{:?}", abide::wrappers::KeyRing::new(key))
    });
    assert_ne!(ids[0], ids[1]);
    assert_ne!(format!("{:?}", ring([1])), format!("{:?}", abide::wrappers::KeyRing::new(key(2))));
}
