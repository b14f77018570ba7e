//! The deadline.

use std::error::Error as _;
use std::fmt::Debug;
use std::future::Future;

use abide::core::{
    EndReason, EndUserOptions, Error, ErrorKind, Page, Peek, Readiness, SessionStore, UserSession,
};
use abide::wrappers::Timeout;
use abide_harness::Method;
use tokio::time::{Instant, timeout};

use crate::stage::{
    Network, Requests as _, SECOND, clock, key, memory_on, network_on, new_record, setting, updating,
};

fn behind_a_timeout() -> (Timeout, Network) {
    let network = network_on(&clock());
    (Timeout::new(network.clone(), SECOND), network)
}

/// Checks that an operation is refused as `kind` at the deadline, neither earlier nor later.
async fn late<T: Debug>(kind: ErrorKind, call: impl Future<Output = Result<T, Error>>) {
    let began = Instant::now();
    let error = call.await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed().as_millis()), (kind, 1_000));
    assert!(error.to_string().ends_with(": no answer within 1s"), "{error}");
    assert!(error.is_transient() && error.source().is_some());
}

#[tokio::test(start_paused = true)]
async fn a_read_without_an_answer_in_time_is_unavailable() {
    let (store, network) = behind_a_timeout();
    network.set_hanging(true);
    late(ErrorKind::Unavailable, store.look(1)).await;
    late(ErrorKind::Unavailable, store.of_user("ada", &Page::default())).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_without_an_answer_in_time_may_have_happened() {
    let (store, network) = behind_a_timeout();
    let live = store.open(1, new_record(1)).await.unwrap();
    network.set_hanging(true);
    late(ErrorKind::Ambiguous, store.open(2, new_record(2))).await;
    late(ErrorKind::Ambiguous, store.merge(1, &setting(&live.record, "a", b"1"))).await;
    late(ErrorKind::Ambiguous, store.log_out(1)).await;
    late(ErrorKind::Ambiguous, store.end_user("ada", &EndUserOptions::default())).await;
    late(ErrorKind::Ambiguous, store.end_all(EndReason::EndedByAdministrator)).await;
}

#[tokio::test(start_paused = true)]
async fn a_write_that_happened_behind_the_deadline_is_applied_once_when_it_is_asked_again() {
    let (store, network) = behind_a_timeout();
    network.hang_next_answer(Method::Create);
    late(ErrorKind::Ambiguous, store.open(1, new_record(1))).await;
    let live = store.open(1, new_record(1)).await.expect("the creation meets itself");

    network.hang_next_answer(Method::Commit);
    let update = updating(&live.record, "n", b"1");
    late(ErrorKind::Ambiguous, store.merge(1, &update)).await;
    let retry = abide::core::CommitOptions::default().retry(true);
    let first = store.merge_with(1, &update, retry).await.unwrap();
    let second = store.merge_with(1, &update, retry).await.unwrap();
    assert_eq!((first.record.value("n"), &first.record), (Some(&b"1"[..]), &second.record));
    assert_eq!(first.version, second.version, "nothing was written the second time");
}

#[tokio::test(start_paused = true)]
async fn an_end_that_is_cut_off_leaves_nothing_locked() {
    let (store, network) = behind_a_timeout();
    store.open(1, new_record(1)).await.unwrap();
    network.set_hanging(true);
    late(ErrorKind::Ambiguous, store.log_out(1)).await;
    network.set_hanging(false);
    store.log_out(1).await.unwrap();
    assert!(store.look(1).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn what_the_store_answers_in_time_passes_as_it_is() {
    let (store, network) = behind_a_timeout();
    let live = store.open(1, new_record(1).user("ada", crate::stage::START)).await.unwrap();
    network.lose_next(Method::Load, ErrorKind::Corrupt);
    assert_eq!(store.look(1).await.unwrap_err().kind(), ErrorKind::Corrupt);
    let page = store.of_user("ada", &Page::default()).await.unwrap();
    assert_eq!(page.sessions, [UserSession::of(key(1), &live.record).unwrap()]);
    assert_eq!(store.ready().await, Readiness::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_hangs_is_not_ready_and_says_why() {
    let (store, network) = behind_a_timeout();
    network.set_hanging(true);
    assert_eq!(store.ready().await, Readiness::NotReady("no answer within 1s".into()));
    network.set_hanging(false);
    assert_eq!(store.ready().await, Readiness::Ready);
}

#[tokio::test(start_paused = true)]
async fn a_drain_has_the_deadline_that_it_is_given() {
    let (store, network) = behind_a_timeout();
    network.set_hanging(true);
    let drain = store.drain(60 * SECOND);
    assert!(timeout(30 * SECOND, drain).await.is_err(), "the drain was cut off at the store's timeout");
}

#[tokio::test]
async fn a_peek_passes() {
    let store = Timeout::new(std::sync::Arc::new(memory_on(&clock())), SECOND);
    assert!(matches!(store.peek(&key(1)), Peek::Absent));
    store.open(1, new_record(1)).await.unwrap();
    assert!(matches!(store.peek(&key(1)), Peek::Found(_)));
}
