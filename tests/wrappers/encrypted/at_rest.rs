//! What the store behind holds.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use abide::core::{
    CommitOptions, CreateOptions, Entropy, Error, ErrorKind, Keep, NewEra, Peek, Record, SessionStore as _,
    codec,
};
use abide::wrappers::Encrypted;
use proptest::prelude::{ProptestConfig, Strategy, any, proptest};
use proptest::{collection, prop_assert, prop_assert_eq};

use super::{at_rest, encrypted, over, ring};
use crate::stage::{
    Requests as _, START, changes, clock, key, memory_on, new_record, setting, token, updating,
};

/// By how much a value is larger at rest.
const OVERHEAD: usize = 45;

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Names with values long enough not to stand somewhere by chance.
fn values() -> impl Strategy<Value = BTreeMap<String, Vec<u8>>> {
    collection::btree_map(any::<String>(), collection::vec(any::<u8>(), 8..200), 1..6)
}

fn record_of(values: &BTreeMap<String, Vec<u8>>) -> Record {
    let new = values.iter().fold(new_record(1), |new, (name, value)| new.value(name.as_str(), value.clone()));
    Record::create(new)
}

fn wait_for<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    #[test]
    fn what_goes_in_comes_out_and_is_nowhere_at_rest(first in values(), then in values()) {
        let (store, memory) = encrypted();
        let plain = memory_on(&clock());
        let record = record_of(&first);
        let mut sets = changes(&record);
        then.iter().for_each(|(name, value)| sets.set(name.as_str(), value.clone()));
        let (expected, answered, loaded, dump) = wait_for(async {
            let options = CreateOptions::default();
            plain.create(&key(1), record.clone(), &options).await.unwrap();
            let expected = plain.merge(1, &sets).await.unwrap();
            store.create(&key(1), record, &options).await.unwrap();
            let answered = store.merge(1, &sets).await.unwrap();
            (expected, answered, store.held(1).await, codec::encode(&memory.held(1).await.record).unwrap())
        });
        prop_assert_eq!(&answered.record, &expected.record);
        prop_assert_eq!(&loaded.record, &expected.record);
        for value in first.values().chain(then.values()) {
            prop_assert!(!contains(&dump, value), "a value is at rest as it is");
        }
    }
}

#[tokio::test]
async fn an_empty_value_comes_out_empty_and_not_missing() {
    let (store, memory) = encrypted();
    store.open(1, new_record(1).value("a", [].as_slice())).await.unwrap();
    assert_eq!(store.held(1).await.record.value("a"), Some(&[][..]));
    assert_eq!(at_rest(&memory, 1, "a").await.len(), OVERHEAD);
}

#[tokio::test]
async fn equal_values_differ_at_rest_also_when_an_operation_is_asked_again() {
    let (store, memory) = encrypted();
    let live =
        store.open(1, new_record(1).value("a", b"same".as_slice()).value("b", b"same".as_slice())).await;
    let mut seen = BTreeSet::from([at_rest(&memory, 1, "a").await, at_rest(&memory, 1, "b").await]);
    let mut record = live.unwrap().record;
    for _ in 0..50 {
        record = store.merge(1, &setting(&record, "a", b"same")).await.unwrap().record;
        seen.insert(at_rest(&memory, 1, "a").await);
    }
    store.open(2, new_record(2).value("a", b"same".as_slice())).await.unwrap();
    seen.insert(at_rest(&memory, 2, "a").await);
    // Two stores behind two servers: the same changes, sent twice.
    let again = setting(&record, "a", b"same");
    for _ in 0..2 {
        let (store, memory) = encrypted();
        store.open(1, new_record(1)).await.unwrap();
        store.merge(1, &again).await.unwrap();
        seen.insert(at_rest(&memory, 1, "a").await);
    }
    assert_eq!(seen.len(), 55);
}

#[tokio::test]
async fn an_update_compares_stamps_and_a_conflict_carries_the_record_as_it_was_written() {
    let (store, _) = encrypted();
    let live = store.open(1, new_record(1).value("n", b"1".as_slice())).await.unwrap();
    let (first, late) = (updating(&live.record, "n", b"2"), updating(&live.record, "n", b"two"));
    store.merge(1, &first).await.unwrap();
    let mut conflict = store.merge(1, &late).await.unwrap_err();
    assert_eq!(conflict.kind(), ErrorKind::Conflict);
    let current = conflict.take_current().expect("the memory store has it at hand");
    assert_eq!(current.record.value("n"), Some(&b"2"[..]));
    store.merge(1, &updating(&current.record, "n", b"3")).await.unwrap();
    assert_eq!(store.held(1).await.record.value("n"), Some(&b"3"[..]));
}

#[tokio::test]
async fn a_login_carries_encrypted_values_over() {
    let (store, memory) = encrypted();
    let live = store.open(1, new_record(1).value("a", b"1".as_slice()).value("b", b"2".as_slice())).await;
    let mut login = changes(&live.unwrap().record);
    let new = NewEra::new([9; 16], token(9).verifier(), START + std::time::Duration::from_secs(60));
    login.open_era(new.user("ada", START).keep(Keep::Only(vec!["a".into()])));
    login.set("c", b"3".as_slice());
    let before = at_rest(&memory, 1, "a").await;
    let record = store.merge(1, &login).await.unwrap().record;
    assert_eq!(["a", "b", "c"].map(|name| record.value(name)), [Some(&b"1"[..]), None, Some(b"3")]);
    assert_eq!(at_rest(&memory, 1, "a").await, before, "what is kept is not written again");
    assert_eq!(store.held(1).await.record.era().unwrap().user().map(|user| &**user), Some("ada"));
}

#[tokio::test]
async fn a_peek_answers_what_a_load_does() {
    let (store, _) = encrypted();
    assert!(matches!(store.peek(&key(1)), Peek::Absent));
    store.open(1, new_record(1).value("a", b"1".as_slice())).await.unwrap();
    let Peek::Found(peeked) = store.peek(&key(1)) else { panic!("a memory store can be peeked into") };
    let loaded = store.held(1).await;
    assert_eq!((&peeked.record, peeked.version), (&loaded.record, loaded.version));
    assert_eq!(peeked.record.value("a"), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_record_without_values_is_not_copied() {
    let (store, memory) = encrypted();
    store.open(1, new_record(1)).await.unwrap();
    assert!(Arc::ptr_eq(&store.held(1).await.record, &memory.held(1).await.record));
}

#[tokio::test]
async fn limits_on_size_count_values_as_they_are_without_encryption() {
    let (store, memory) = encrypted();
    let record =
        Record::create(new_record(1).value("a", [7; 100].as_slice()).value("b", [7; 100].as_slice()));
    let weight = record.weight();
    let create = |limit| CreateOptions::default().max_weight(limit);
    let refused = store.create(&key(1), record.clone(), &create(weight - 1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    let live = store.create(&key(1), record, &create(weight)).await.unwrap();
    assert_eq!(memory.held(1).await.record.weight(), weight + 2 * OVERHEAD);

    let mut add = changes(&live.record);
    add.set("c", [7; 100].as_slice());
    add.set("a", [8; 50].as_slice());
    let weight = weight + 48 + 1 + 50;
    let commit = |limit| CommitOptions::default().max_weight(limit);
    let refused = store.merge_with(1, &add, commit(weight - 1)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert_eq!(store.merge_with(1, &add, commit(weight)).await.unwrap().record.weight(), weight);
}

/// A random source that is out of order.
#[derive(Debug)]
struct Broken;

impl Entropy for Broken {
    fn fill(&self, _: &mut [u8]) -> Result<(), Error> {
        Err(ErrorKind::Unavailable.into())
    }
}

#[tokio::test]
async fn without_a_random_source_nothing_is_written() {
    let memory = memory_on(&clock());
    let broken = || -> Encrypted { over(&memory, ring([1])).entropy(Arc::new(Broken)) };
    let refused = broken().open(1, new_record(1).value("a", b"1".as_slice())).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    assert!(memory.look(1).await.unwrap().is_none());
    let live = over(&memory, ring([1])).open(1, new_record(1)).await.unwrap();
    let set = setting(&live.record, "a", b"1");
    let refused = broken().merge(1, &set).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unavailable);
    let tried = broken().try_commit(&key(1), live.version, &set, &CommitOptions::default());
    assert_eq!(tried.unwrap().unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(memory.held(1).await.record, live.record);
}
