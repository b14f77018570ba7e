//! The whole suite, over each wrapper and over all of them.

use std::collections::BTreeSet;
use std::sync::Arc;

use abide::core::{ManualClock, SessionStore, SystemEntropy};
use abide::wrappers::{ConcurrencyLimit, Encrypted, EncryptionKey, Handover, KeyRing, Migrating, Timeout};
use abide_conformance::{Outage, Report, Subject};
use abide_memory::MemoryStore;

use crate::begins_in_the_old::BeginsInTheOld;
use crate::stage::{Network, SECOND, clock, memory_on, network_on};

type Store = Arc<dyn SessionStore>;

fn in_time(store: Store) -> Timeout {
    Timeout::new(store, SECOND)
}

/// Two at once, so that whatever is done at the same time has to wait.
fn limited(store: Store) -> ConcurrencyLimit {
    ConcurrencyLimit::new(store, 2).queue(10_000)
}

fn encrypted(store: Store) -> Encrypted {
    Encrypted::new(store, keys())
}

fn keys() -> KeyRing {
    let key = |n| EncryptionKey::from_bytes([n; 32]);
    KeyRing::new(key(1)).and_decrypt_with(key(2))
}

/// All of them, in the order of the configuration.
fn stacked(store: Store) -> Encrypted {
    encrypted(Arc::new(limited(Arc::new(in_time(store)))))
}

/// A wrapped memory store, with a second handle on it in a wrapper of its own.
fn fresh<W: SessionStore>(wrap: fn(Store) -> W) -> Subject {
    let clock = clock();
    let store = memory_on(&clock);
    let wrapped = |store: &MemoryStore| wrap(Arc::new(store.clone()));
    Subject::new(wrapped(&store), clock).handle(wrapped(&store))
}

/// One whose participants are tasks.
fn parallel<W: SessionStore>(wrap: fn(Store) -> W) -> Subject {
    in_tasks(fresh(wrap))
}

fn in_tasks(subject: Subject) -> Subject {
    let spawner = |task| -> abide_conformance::Task {
        Box::pin(async { tokio::spawn(task).await.expect("no participant panics") })
    };
    subject.spawner(Arc::new(spawner))
}

/// A store that hands over through another one, and a second handle on it.
fn handing_over() -> (Handover, Subject) {
    let clock = clock();
    let shared = Arc::new(memory_on(&clock));
    let store = Handover::with(memory_on(&clock), shared, clock.clone(), Arc::new(SystemEntropy));
    (store.clone(), Subject::new(store.clone(), clock).handle(store))
}

/// Two servers that move from one store to another.
fn moving() -> Subject {
    let clock = clock();
    let (old, new) = (memory_on(&clock), memory_on(&clock));
    let server = || Migrating::new(Arc::new(old.clone()), Arc::new(new.clone()));
    Subject::new(server(), clock).handle(server())
}

/// As `moving`, where every session begins in the old store: so each case moves what it made.
fn moving_from_the_old() -> Subject {
    let clock = clock();
    let (old, new) = (memory_on(&clock), memory_on(&clock));
    let server = || {
        let moves = Migrating::new(Arc::new(old.clone()), Arc::new(new.clone()));
        BeginsInTheOld { old: old.clone(), new: new.clone(), moves }
    };
    Subject::new(server(), clock).handle(server())
}

/// One that is being drained all the while, so that every session is in an envelope.
async fn handed_over() -> Subject {
    let (store, subject) = handing_over();
    store.drain(SECOND).await.unwrap();
    subject
}

#[tokio::test]
async fn a_store_that_sessions_move_into_conforms() {
    holds(
        &abide_conformance::run(|| async { moving() }).await,
        &[&NEED_ANOTHER_STORE[..], &NEED_AN_OUTAGE].concat(),
    );
}

#[tokio::test]
async fn a_store_that_every_session_moves_into_conforms() {
    let report = abide_conformance::run(|| async { moving_from_the_old() }).await;
    holds(&report, &[&NEED_ANOTHER_STORE[..], &NEED_AN_OUTAGE].concat());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_hands_over_conforms_on_several_threads() {
    abide_conformance::run(|| async { in_tasks(handing_over().1) }).await.assert();
    abide_conformance::run(|| async { in_tasks(handed_over().await) }).await.assert();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_that_sessions_move_into_conforms_on_several_threads() {
    abide_conformance::run(|| async { in_tasks(moving()) }).await.assert();
    abide_conformance::run(|| async { in_tasks(moving_from_the_old()) }).await.assert();
}

#[tokio::test]
async fn a_store_that_hands_over_conforms() {
    let report = abide_conformance::run(|| async { handing_over().1 }).await;
    holds(&report, &[&NEED_ANOTHER_STORE[..], &NEED_AN_OUTAGE].concat());
}

#[tokio::test]
async fn a_store_whose_sessions_were_handed_over_conforms() {
    let report = abide_conformance::run(handed_over).await;
    holds(&report, &[&NEED_ANOTHER_STORE[..], &NEED_AN_OUTAGE].concat());
}

/// A network that hangs is an outage only where something answers in its place.
#[derive(Debug)]
struct Hangs(Network);

#[abide::core::async_trait]
impl Outage for Hangs {
    async fn begin(&self) {
        self.0.set_hanging(true);
    }

    async fn end(&self) {
        self.0.set_hanging(false);
    }
}

fn that_hangs<W: SessionStore>(wrap: fn(Store) -> W) -> Subject {
    let clock: Arc<ManualClock> = clock();
    let network = network_on(&clock);
    Subject::new(wrap(network.clone()), clock).outage(Arc::new(Hangs(network)))
}

/// Every case must have run, but for those that need what the memory store is not given here.
#[track_caller]
fn holds(report: &Report, skipped: &[&str]) {
    report.assert();
    let expected: BTreeSet<_> = skipped.iter().copied().collect();
    assert_eq!(report.skipped().collect::<BTreeSet<_>>(), expected, "{report}");
}

/// A store without a bound, and one that shares its sessions with nobody.
const NEED_ANOTHER_STORE: [&str; 3] = [
    "a_commit_that_a_full_store_has_no_room_for_is_refused_and_changes_nothing",
    "a_full_store_refuses_and_keeps_what_it_has",
    "a_shared_store_leaves_nothing_behind",
];
const NEED_AN_OUTAGE: [&str; 4] = [
    "a_drain_that_fails_leaves_the_store_as_it_was",
    "a_store_out_of_reach_says_so_and_answers_nothing_else",
    "what_was_unavailable_did_not_happen_and_is_applied_once_when_asked_again",
    "a_store_out_of_reach_is_not_ready",
];

macro_rules! conforms {
    ($($name:ident, $name_in_parallel:ident: $wrap:ident;)+) => {$(
        #[tokio::test]
        async fn $name() {
            let report = abide_conformance::run(|| async { fresh($wrap) }).await;
            holds(&report, &[&NEED_ANOTHER_STORE[..], &NEED_AN_OUTAGE].concat());
        }

        #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
        async fn $name_in_parallel() {
            abide_conformance::run(|| async { parallel($wrap) }).await.assert();
        }
    )+};
}

conforms! {
    a_store_with_a_timeout_conforms, a_store_with_a_timeout_conforms_on_several_threads: in_time;
    a_store_with_a_limit_conforms, a_store_with_a_limit_conforms_on_several_threads: limited;
    a_store_of_encrypted_values_conforms, a_store_of_encrypted_values_conforms_on_several_threads: encrypted;
    all_wrappers_together_conform, all_wrappers_together_conform_on_several_threads: stacked;
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_conforms_behind_a_timeout() {
    holds(&abide_conformance::run(|| async { that_hangs(in_time) }).await, &NEED_ANOTHER_STORE);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_conforms_behind_all_wrappers() {
    holds(&abide_conformance::run(|| async { that_hangs(stacked) }).await, &NEED_ANOTHER_STORE);
}

#[tokio::test]
async fn a_wrapper_can_do_what_the_store_can() {
    let store = || Arc::new(memory_on(&clock())) as Store;
    let wrappers: [Store; 4] = [
        Arc::new(in_time(store())),
        Arc::new(limited(store())),
        Arc::new(encrypted(store())),
        Arc::new(stacked(store())),
    ];
    for wrapper in wrappers {
        assert_eq!(wrapper.capabilities(), store().capabilities());
    }
}
