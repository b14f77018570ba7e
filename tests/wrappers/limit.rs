//! How many are under way, wait, and are refused.

use std::future::Future;
use std::sync::{Arc, Mutex};

use abide::core::{EndReason, EndUserOptions, Error, ErrorKind, Page, Peek, Readiness, SessionStore as _};
use abide::wrappers::ConcurrencyLimit;
use abide_harness::Method;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout};

use crate::stage::{Network, Requests as _, SECOND, clock, key, memory_on, network_on, new_record, settle};

/// A store behind a limit, whose loads wait at the gate.
struct Crowd {
    store: Arc<ConcurrencyLimit>,
    network: Network,
    gate: Arc<Semaphore>,
    /// Which loads were answered, in order.
    answered: Arc<Mutex<Vec<usize>>>,
}

impl Crowd {
    /// Three places: two for everybody and one for ends. The sessions 1 to 9 are live.
    async fn of_three(limit: impl FnOnce(ConcurrencyLimit) -> ConcurrencyLimit) -> Self {
        let network = network_on(&clock());
        for n in 1..10 {
            network.open(n, new_record(n).user("ada", crate::stage::START)).await.unwrap();
        }
        let gate = network.hold(Method::Load);
        let store = Arc::new(limit(ConcurrencyLimit::new(network.clone(), 3)));
        Self { store, network, gate, answered: Arc::default() }
    }

    fn spawn<T>(&self, call: impl FnOnce(Arc<ConcurrencyLimit>) -> T) -> JoinHandle<T::Output>
    where
        T: Future<Output: Send> + Send + 'static,
    {
        tokio::spawn(call(self.store.clone()))
    }

    /// A load that says when it is answered.
    async fn load(&self, n: usize) -> JoinHandle<Result<(), Error>> {
        let answered = self.answered.clone();
        let load = self.spawn(|store| async move {
            store.look(1).await?;
            answered.lock().unwrap().push(n);
            Ok(())
        });
        settle().await;
        load
    }

    async fn loads(&self, numbers: std::ops::Range<usize>) -> Vec<JoinHandle<Result<(), Error>>> {
        let mut loads = Vec::new();
        for n in numbers {
            loads.push(self.load(n).await);
        }
        loads
    }

    fn under_way(&self) -> usize {
        self.network.calls(Method::Load)
    }

    async fn let_pass(&self, loads: usize) {
        self.gate.add_permits(loads);
        settle().await;
    }
}

/// Checks that a call is refused, and is not left to wait.
async fn refused<T>(call: impl Future<Output = Result<T, Error>>, why: &str) {
    let answer = timeout(60 * SECOND, call).await.expect("an answer");
    let error = answer.err().expect("a refusal");
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(why), "{error}");
}

#[tokio::test(start_paused = true)]
async fn no_more_than_the_limit_are_under_way_and_those_who_wait_go_in_order() {
    let crowd = Crowd::of_three(|limit| limit).await;
    let _loads = crowd.loads(0..8).await;
    assert_eq!(crowd.under_way(), 2);
    for passed in 1..=6 {
        crowd.let_pass(1).await;
        assert_eq!(crowd.under_way(), 2 + passed);
    }
    crowd.let_pass(2).await;
    assert_eq!(*crowd.answered.lock().unwrap(), [0, 1, 2, 3, 4, 5, 6, 7]);
}

#[tokio::test(start_paused = true)]
async fn whoever_comes_while_the_queue_is_full_is_refused_at_once_and_nothing_is_sent() {
    let crowd = Crowd::of_three(|limit| limit.queue(3)).await;
    let loads = crowd.loads(0..5).await;
    refused(crowd.store.look(1), "3 wait, which is the limit").await;
    refused(crowd.store.of_user("ada", &Page::default()), "3 wait").await;
    refused(crowd.store.open(20, new_record(20)), "3 wait").await;
    assert_eq!(crowd.network.calls(Method::OfUser) + crowd.under_way(), 2);
    crowd.let_pass(5).await;
    for load in loads {
        load.await.unwrap().unwrap();
    }
    crowd.store.open(20, new_record(20)).await.expect("there is room again");
}

#[tokio::test(start_paused = true)]
async fn without_a_queue_nobody_waits() {
    let crowd = Crowd::of_three(|limit| limit.queue(0)).await;
    let _loads = crowd.loads(0..2).await;
    refused(crowd.store.look(1), "0 wait").await;
}

#[tokio::test(start_paused = true)]
async fn by_default_four_times_the_limit_wait() {
    let crowd = Crowd::of_three(|limit| limit).await;
    let _loads = crowd.loads(0..14).await;
    refused(crowd.store.look(1), "12 wait").await;
}

#[tokio::test(start_paused = true)]
async fn a_waiter_who_is_dropped_leaves_nothing_behind() {
    let crowd = Crowd::of_three(|limit| limit.queue(2)).await;
    let loads = crowd.loads(0..4).await;
    loads[2].abort();
    settle().await;
    let _last = crowd.load(4).await;
    refused(crowd.store.look(1), "2 wait").await;
    crowd.let_pass(4).await;
    assert_eq!(*crowd.answered.lock().unwrap(), [0, 1, 3, 4]);
    assert_eq!(crowd.under_way(), 4, "what the dropped one wanted was not sent");
}

#[tokio::test(start_paused = true)]
async fn an_operation_that_is_dropped_under_way_gives_its_place_back() {
    let crowd = Crowd::of_three(|limit| limit).await;
    let loads = crowd.loads(0..3).await;
    assert_eq!(crowd.under_way(), 2);
    loads[0].abort();
    settle().await;
    assert_eq!(crowd.under_way(), 3);
}

#[tokio::test(start_paused = true)]
async fn ends_are_neither_held_up_nor_refused_by_a_queue_full_of_reads() {
    let crowd = Crowd::of_three(|limit| limit.queue(2)).await;
    let _loads = crowd.loads(0..4).await;
    refused(crowd.store.look(1), "2 wait").await;
    assert!(crowd.store.log_out(2).await.unwrap().was_live);
    assert_eq!(crowd.store.end_user("ada", &EndUserOptions::default()).await.unwrap(), 8);
    assert_eq!(crowd.store.end_all(EndReason::EndedByAdministrator).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn ends_take_any_free_place_and_are_bounded_as_well() {
    let crowd = Crowd::of_three(|limit| limit.queue(2)).await;
    let gate = crowd.network.hold(Method::End);
    let mut ends = Vec::new();
    for n in 1..=5 {
        ends.push(crowd.spawn(|store| async move { store.log_out(n).await }));
        settle().await;
    }
    assert_eq!(crowd.network.calls(Method::End), 3, "two wait");
    refused(crowd.store.log_out(6), "2 wait").await;
    gate.add_permits(5);
    for end in ends {
        assert!(end.await.unwrap().unwrap().was_live);
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_too_long_is_refused_and_nothing_is_sent() {
    let crowd = Crowd::of_three(|limit| limit.wait_at_most(SECOND)).await;
    let _loads = crowd.loads(0..2).await;
    let began = Instant::now();
    refused(crowd.store.look(1), "no turn within 1s").await;
    assert_eq!((began.elapsed().as_millis(), crowd.under_way()), (1_000, 2));
    let next = crowd.load(2).await;
    crowd.let_pass(3).await;
    next.await.unwrap().expect("its turn came in time");
}

#[tokio::test(start_paused = true)]
async fn two_is_the_least_limit() {
    for limit in [0, 1, 2] {
        let network = network_on(&clock());
        let gate = network.hold(Method::Load);
        let store = Arc::new(ConcurrencyLimit::new(network.clone(), limit).queue(1));
        let loads = [store.clone(), store.clone()]
            .map(|store| tokio::spawn(async move { store.look(1).await.map(drop) }));
        settle().await;
        assert_eq!(network.calls(Method::Load), 1);
        store.log_out(1).await.unwrap();
        gate.add_permits(2);
        for load in loads {
            load.await.unwrap().unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peek_and_the_operators_questions_do_not_wait() {
    let store = Arc::new(ConcurrencyLimit::new(Arc::new(memory_on(&clock())), 2));
    store.open(1, new_record(1)).await.unwrap();
    assert!(matches!(store.peek(&key(1)), Peek::Found(_)));
    let crowd = Crowd::of_three(|limit| limit.queue(0)).await;
    let _loads = crowd.loads(0..2).await;
    assert!(matches!(crowd.store.peek(&key(1)), Peek::Ask), "as the network says");
    assert_eq!(crowd.store.ready().await, Readiness::Ready);
    assert_eq!(crowd.store.drain(SECOND).await.unwrap().left_behind, 9);
}
