//! Values that do not decrypt.

use std::fmt::Debug;

use abide::core::{Error, ErrorKind, Page, Peek, SessionStore as _};
use proptest::prelude::{ProptestConfig, any, proptest};
use proptest::prop_assert;

use super::{at_rest, encrypted, over, put, ring};
use crate::stage::{Requests as _, START, changes, clock, key, memory_on, new_record, setting};

#[track_caller]
fn corrupt<T: Debug>(answer: Result<T, Error>, why: &str) -> Error {
    let error = answer.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(error.to_string().contains(why), "{error}");
    error
}

#[tokio::test]
async fn a_value_with_any_bit_flipped_is_corrupt() {
    let (store, memory) = encrypted();
    store.open(1, new_record(1).value("a", b"a value".as_slice())).await.unwrap();
    let good = at_rest(&memory, 1, "a").await;
    for bit in 0..good.len() * 8 {
        let mut bad = good.clone();
        bad[bit / 8] ^= 1 << (bit % 8);
        put(&memory, 1, "a", &bad).await;
        corrupt(store.look(1).await, "the value of \"a\" ");
        assert!(matches!(store.peek(&key(1)), Peek::Ask));
    }
    put(&memory, 1, "a", &good).await;
    assert_eq!(store.held(1).await.record.value("a"), Some(&b"a value"[..]));
}

#[tokio::test]
async fn a_value_that_was_cut_short_or_grew_is_corrupt() {
    let (store, memory) = encrypted();
    store.open(1, new_record(1).value("a", b"a value".as_slice())).await.unwrap();
    let good = at_rest(&memory, 1, "a").await;
    for length in 0..good.len() {
        put(&memory, 1, "a", &good[..length]).await;
        corrupt(store.look(1).await, "the value of \"a\" ");
    }
    put(&memory, 1, "a", &[&good[..], &[0]].concat()).await;
    corrupt(store.look(1).await, "was changed in the store");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn whatever_is_stored_is_refused_and_never_a_panic(bytes: Vec<u8>, versioned in any::<bool>()) {
        let bytes = if versioned { [&[1], &bytes[..]].concat() } else { bytes };
        let (store, memory) = encrypted();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let answer = runtime.block_on(async {
            store.open(1, new_record(1)).await.unwrap();
            put(&memory, 1, "a", &bytes).await;
            store.look(1).await
        });
        prop_assert!(answer.is_err_and(|error| error.kind() == ErrorKind::Corrupt));
    }
}

#[tokio::test]
async fn a_value_copied_to_another_session_does_not_decrypt() {
    let (store, memory) = encrypted();
    store.open(1, new_record(1).value("role", b"admin".as_slice())).await.unwrap();
    store.open(2, new_record(2)).await.unwrap();
    put(&memory, 2, "role", &at_rest(&memory, 1, "role").await).await;
    corrupt(store.look(2).await, "belongs to another session or name");
    assert_eq!(store.held(1).await.record.value("role"), Some(&b"admin"[..]));
}

#[tokio::test]
async fn a_value_copied_to_another_name_does_not_decrypt() {
    let (store, memory) = encrypted();
    store.open(1, new_record(1).value("nickname", b"admin".as_slice())).await.unwrap();
    put(&memory, 1, "role", &at_rest(&memory, 1, "nickname").await).await;
    corrupt(store.look(1).await, "the value of \"role\" was changed in the store, or belongs to another");
}

#[tokio::test]
async fn a_value_that_is_not_encrypted_is_not_taken() {
    let (store, memory) = encrypted();
    store.open(1, new_record(1)).await.unwrap();
    put(&memory, 1, "role", b"\"admin\"").await;
    corrupt(store.look(1).await, "is not encrypted as this version expects");
}

#[tokio::test]
async fn an_error_shows_neither_the_value_nor_what_is_stored() {
    let (store, memory) = encrypted();
    store.open(1, new_record(1)).await.unwrap();
    put(&memory, 1, "role", b"hunter2hunter2").await;
    let error = corrupt(store.look(1).await, "role");
    let shown = format!("{error} {error:?} {store:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("104, 117"), "{shown}");
}

/// A session with a value under a key that its server does not have, and one that it can read.
async fn half_legible() -> (abide::wrappers::Encrypted, abide_memory::MemoryStore) {
    let memory = memory_on(&clock());
    let (old, new) = (over(&memory, ring([1])), over(&memory, ring([2])));
    let live = old.open(1, new_record(1).user("ada", START).value("lost", b"1".as_slice())).await.unwrap();
    let stored = new.merge(1, &setting(&live.record, "found", b"2")).await;
    corrupt(stored, "the value of \"lost\" is encrypted under the key ");
    (new, memory)
}

#[tokio::test]
async fn a_commit_beside_a_value_that_does_not_decrypt_is_stored_and_loses_nothing() {
    let (_, memory) = half_legible().await;
    let both = over(&memory, ring([2, 1])).held(1).await;
    assert_eq!(["lost", "found"].map(|name| both.record.value(name)), [Some(&b"1"[..]), Some(b"2")]);
    let before = at_rest(&memory, 1, "lost").await;
    let (store, record) = (over(&memory, ring([2])), both.record);
    corrupt(store.merge(1, &setting(&record, "found", b"3")).await, "lost");
    assert_eq!(at_rest(&memory, 1, "lost").await, before, "byte for byte");
    assert_eq!(over(&memory, ring([2, 1])).held(1).await.record.value("found"), Some(&b"3"[..]));
}

#[tokio::test]
async fn a_value_that_does_not_decrypt_is_whole_again_once_it_is_set_or_removed() {
    let (store, memory) = half_legible().await;
    let record = memory.held(1).await.record;
    let set = store.merge(1, &setting(&record, "lost", b"new")).await.unwrap();
    assert_eq!(set.record.value("lost"), Some(&b"new"[..]));

    let (store, memory) = half_legible().await;
    let mut remove = changes(&memory.held(1).await.record);
    remove.remove("lost");
    let removed = store.merge(1, &remove).await.unwrap();
    assert_eq!(["lost", "found"].map(|name| removed.record.value(name)), [None, Some(&b"2"[..])]);
}

#[tokio::test]
async fn a_session_with_a_value_that_does_not_decrypt_is_listed_and_ended() {
    let (store, _) = half_legible().await;
    assert_eq!(store.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 1);
    assert!(store.log_out(1).await.unwrap().was_live);
    assert!(store.look(1).await.unwrap().is_none());
    let (store, _) = half_legible().await;
    assert_eq!(store.end_user("ada", &Default::default()).await.unwrap(), 1);
}

#[tokio::test]
async fn a_corrupt_record_comes_with_what_can_be_read_of_it() {
    let (store, memory) = half_legible().await;
    let mut error = store.look(1).await.unwrap_err();
    let legible = error.take_current().expect("whose it is").record;
    assert_eq!(["lost", "found"].map(|name| legible.value(name)), [None, Some(&b"2"[..])]);
    let stored = memory.held(1).await.record;
    assert_eq!(legible.era().unwrap().secrets(), stored.era().unwrap().secrets());
}
