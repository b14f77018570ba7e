//! What a bounded store holds, whom it lets go, and when it is full.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod stage;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use abide_core::{
    Changes, Clock, CommitOptions, CreateOptions, EndOptions, EndReason, Error, ErrorKind, LoadOptions,
    NewEra, NewRecord, Record, SessionStore, Timestamp,
};
use proptest::prelude::*;
use stage::{START, Stage, key, token};
use tracing::{Metadata, Subscriber, span};

const SECOND: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(3600);

impl Stage {
    fn now(&self) -> Timestamp {
        Clock::now(&*self.clock)
    }

    fn record(&self, n: u32, user: Option<&str>, value: usize) -> Record {
        let stamp = self.stamps.next(self.now());
        let new = NewRecord::new(stamp, [1; 16], token(n).verifier(), self.now())
            .idle_timeout(IDLE)
            .hard_deadline(self.now() + 100 * IDLE)
            .value("v", vec![7; value]);
        Record::create(match user {
            Some(user) => new.user(user, self.now()),
            None => new,
        })
    }

    async fn create(&self, n: u32, user: Option<&str>) -> Result<(), ErrorKind> {
        self.create_of(n, user, 1).await
    }

    async fn create_of(&self, n: u32, user: Option<&str>, value: usize) -> Result<(), ErrorKind> {
        let record = self.record(n, user, value);
        kind(self.store.create(&key(n), record, &CreateOptions::default()).await)
    }

    async fn held(&self, n: u32) -> Option<Arc<Record>> {
        self.store.load(&key(n), &LoadOptions::default()).await.unwrap().map(|loaded| loaded.record)
    }

    async fn commit(&self, n: u32, change: impl FnOnce(&mut Changes)) -> Result<(), ErrorKind> {
        let Some(record) = self.held(n).await else { return Err(ErrorKind::Missing) };
        let stamp = self.stamps.next_after(self.now(), record.latest_stamp());
        let mut changes = Changes::new(stamp, record.era().unwrap().id());
        change(&mut changes);
        kind(self.store.commit(&key(n), Default::default(), &changes, &CommitOptions::default()).await)
    }

    async fn slide(&self, n: u32) -> Result<(), ErrorKind> {
        self.commit(n, |changes| changes.seen_at(self.now())).await
    }

    /// Signs somebody in, or out.
    async fn sign(&self, n: u32, user: Option<&str>) -> Result<(), ErrorKind> {
        static NONCES: AtomicUsize = AtomicUsize::new(2);
        let nonce = (NONCES.fetch_add(1, Ordering::Relaxed) as u128).to_le_bytes();
        let era = NewEra::new(nonce, token(n).verifier(), self.now() + 100 * IDLE);
        let era = era.identity(user.map(Arc::from), user.map(|_| self.now()));
        self.commit(n, |changes| changes.open_era(era)).await
    }

    async fn end(&self, n: u32) -> bool {
        self.store.end(&key(n), EndReason::LoggedOut, &EndOptions::default()).await.unwrap().was_live
    }
}

fn kind<T>(answer: Result<T, Error>) -> Result<(), ErrorKind> {
    answer.map(|_| ()).map_err(|error| error.kind())
}

#[tokio::test]
async fn at_its_bound_the_store_lets_the_longest_idle_session_of_nobody_go() {
    let stage = Stage::new(|store| store.max_sessions(100));
    for n in 0..100 {
        stage.create(n, None).await.unwrap();
        stage.clock.advance(SECOND);
    }
    // The oldest are used again: it is the use that counts.
    for n in 0..10 {
        stage.slide(n).await.unwrap();
    }
    for n in 100..105 {
        stage.create(n, None).await.unwrap();
        assert_eq!(stage.store.len(), 100);
    }
    for n in 0..105 {
        assert_eq!(stage.held(n).await.is_none(), (10..15).contains(&n), "session {n}");
    }
    assert_eq!(stage.store.evicted(), 5);
}

#[tokio::test]
async fn a_session_with_a_user_is_never_evicted_and_a_store_full_of_them_refuses() {
    let stage = Stage::new(|store| store.max_sessions(10));
    for n in 0..9 {
        stage.create(n, Some("ada")).await.unwrap();
    }
    stage.create(9, None).await.unwrap();
    stage.create(10, None).await.unwrap();
    assert!(stage.held(9).await.is_none());
    // Signed in, the last one of nobody is safe too.
    stage.sign(10, Some("bob")).await.unwrap();
    for n in 11..15 {
        assert_eq!(stage.create(n, Some("eve")).await, Err(ErrorKind::Full));
        assert_eq!(stage.create(n, None).await, Err(ErrorKind::Full));
    }
    for n in (0..9).chain([10]) {
        assert!(stage.held(n).await.is_some(), "session {n}");
    }
    assert!(stage.end(3).await);
    stage.create(15, Some("eve")).await.unwrap();
    // Whoever signs out may go again.
    stage.sign(10, None).await.unwrap();
    stage.create(16, Some("eve")).await.unwrap();
    assert!(stage.held(10).await.is_none());
}

#[tokio::test]
async fn sessions_that_expired_make_room_before_any_live_one_goes() {
    let stage = Stage::new(|store| store.max_sessions(3));
    stage.create(0, Some("ada")).await.unwrap();
    stage.create(1, Some("ada")).await.unwrap();
    stage.clock.advance(IDLE / 2);
    stage.create(2, None).await.unwrap();
    stage.clock.advance(IDLE / 2 - SECOND);
    assert_eq!(stage.create(3, Some("bob")).await, Ok(()), "in place of the one of nobody");
    assert_eq!(stage.create(4, Some("bob")).await, Err(ErrorKind::Full));
    stage.clock.advance(SECOND);
    // To the millisecond, not when they are swept.
    stage.create(4, Some("bob")).await.unwrap();
    stage.create(5, Some("bob")).await.unwrap();
    assert_eq!((stage.store.len(), stage.store.evicted()), (3, 1));
}

#[tokio::test]
async fn a_write_that_grows_a_session_beyond_the_bytes_makes_room_or_is_full() {
    let weight = Stage::new(|store| store).record(0, None, 1_000).weight();
    let stage = Stage::new(|store| store.max_bytes(10 * weight + 9));
    for n in 0..10 {
        stage.create_of(n, (n > 6).then_some("ada"), 1_000).await.unwrap();
        stage.clock.advance(SECOND);
    }
    let grow = async |n: u32, bytes: usize| stage.commit(n, |changes| changes.set("w", vec![7; bytes])).await;
    // Session 0 is idle the longest, and it is the one that is written.
    grow(0, 1_500).await.unwrap();
    assert!(stage.held(0).await.is_some(), "never by its own write");
    assert!(stage.held(1).await.is_none() && stage.held(2).await.is_none() && stage.held(3).await.is_some());
    let before = stage.held(7).await;
    assert_eq!(grow(7, 8 * weight).await, Err(ErrorKind::Full));
    assert_eq!(stage.held(7).await, before, "nothing was written");
    // What it gives back is free again.
    assert_eq!(grow(8, 100).await, Ok(()));
    assert_eq!(stage.create_of(20, Some("eve"), 20 * weight).await, Err(ErrorKind::Full));
    for n in [7, 8, 9] {
        assert!(stage.end(n).await);
    }
    stage.create_of(21, Some("eve"), 5 * weight).await.unwrap();
}

#[tokio::test]
async fn a_write_that_no_eviction_can_make_room_for_evicts_nobody() {
    let stage = Stage::new(|store| store.max_bytes(20_000));
    for n in 0..10 {
        stage.create(n, None).await.unwrap();
    }
    assert_eq!(stage.create_of(10, None, 20_001).await, Err(ErrorKind::Full));
    assert_eq!((stage.store.len(), stage.store.evicted()), (10, 0));
}

#[tokio::test]
async fn an_evicted_session_leaves_no_trace() {
    let stage = Stage::new(|store| store.max_sessions(1));
    stage.create(0, None).await.unwrap();
    stage.create(1, None).await.unwrap();
    let mut changes = Changes::new(stage.stamps.next(START), abide_core::EraId::first([1; 16]));
    changes.set("a", b"1".as_slice());
    let late = stage.store.commit(&key(0), Default::default(), &changes, &CommitOptions::default()).await;
    assert_eq!(kind(late), Err(ErrorKind::Missing));
    stage.create(0, None).await.unwrap();
}

#[tokio::test]
async fn as_many_ends_are_remembered_as_there_may_be_sessions_and_no_more() {
    let stage = Stage::new(|store| store.max_sessions(2_000));
    for n in 0..20_000 {
        stage.create(n, Some("ada")).await.unwrap();
        assert!(stage.end(n).await);
    }
    let mut remembered = 0;
    for n in 0..20_000 {
        let again = stage.create(n, Some("ada")).await;
        remembered += u32::from(again == Err(ErrorKind::Ended));
        assert!(n < 19_000 || again == Err(ErrorKind::Ended), "one of the latest thousand: {n}");
        if again.is_ok() {
            // Makes room, and is the latest end.
            stage.store.sweep();
        }
        if stage.store.len() > 1_000 {
            break;
        }
    }
    assert!(remembered <= 2_048, "{remembered}");
}

#[tokio::test]
async fn without_a_bound_every_end_is_remembered_for_ten_minutes() {
    let stage = Stage::new(|store| store);
    for n in 0..5_000 {
        stage.create(n, None).await.unwrap();
        assert!(stage.end(n).await);
    }
    stage.clock.advance(Duration::from_secs(599));
    stage.store.sweep();
    for n in 0..5_000 {
        assert_eq!(stage.create(n, None).await, Err(ErrorKind::Ended));
    }
    stage.clock.advance(Duration::from_secs(12));
    stage.store.sweep();
    stage.create(0, None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn creations_at_the_same_time_never_exceed_the_bound() {
    let stage = Arc::new(Stage::new(|store| store.max_sessions(500)));
    let created = Arc::new(AtomicUsize::new(0));
    let tasks: Vec<_> = (0..8)
        .map(|task| {
            let (stage, created) = (stage.clone(), created.clone());
            tokio::spawn(async move {
                for n in 0..200 {
                    let answer = stage.create(task * 1_000 + n, Some("ada")).await;
                    created.fetch_add(usize::from(answer.is_ok()), Ordering::SeqCst);
                    assert!(stage.store.len() <= 500);
                    assert!(answer.is_ok() || answer == Err(ErrorKind::Full));
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!((created.load(Ordering::SeqCst), stage.store.len()), (500, 500), "not one place is lost");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn visitors_at_the_same_time_are_all_served_and_never_exceed_the_bound() {
    let stage = Arc::new(Stage::new(|store| store.max_sessions(100).max_bytes(100_000)));
    for n in 0..50 {
        stage.create(n, Some("ada")).await.unwrap();
    }
    let tasks: Vec<_> = (1..9)
        .map(|task| {
            let stage = stage.clone();
            tokio::spawn(async move {
                for n in 0..500 {
                    let n = task * 1_000 + n;
                    stage.create(n, None).await.unwrap();
                    stage.clock.advance(Duration::from_millis(1));
                    let _ = stage.commit(n, |changes| changes.set("w", vec![7; 200])).await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert!(stage.store.len() <= 100);
    for n in 0..50 {
        assert!(stage.held(n).await.is_some(), "session {n} of a user");
    }
    let left = stage.store.len() as u64;
    assert_eq!(stage.store.evicted(), 50 + 8 * 500 - left);
}

#[tokio::test]
async fn a_limit_per_user_and_a_bound_hold_together() {
    let stage = Stage::new(|store| store.max_sessions(4));
    let options = CreateOptions::default().user_limit(NonZeroUsize::new(2));
    for n in 0..4 {
        stage.clock.advance(SECOND);
        stage.store.create(&key(n), stage.record(n, Some("ada"), 1), &options).await.unwrap();
    }
    assert!(stage.store.len() == 2 && stage.held(2).await.is_some() && stage.held(3).await.is_some());
}

/// Counts the warnings of one thread.
#[derive(Clone, Default)]
struct Warnings(Arc<AtomicUsize>);

impl Subscriber for Warnings {
    fn enabled(&self, about: &Metadata<'_>) -> bool {
        about.target() == "abide" && *about.level() == tracing::Level::WARN
    }
    fn new_span(&self, _: &span::Attributes<'_>) -> span::Id {
        span::Id::from_u64(1)
    }
    fn record(&self, _: &span::Id, _: &span::Record<'_>) {}
    fn record_follows_from(&self, _: &span::Id, _: &span::Id) {}
    fn event(&self, _: &tracing::Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn enter(&self, _: &span::Id) {}
    fn exit(&self, _: &span::Id) {}
}

#[tokio::test]
async fn evictions_are_counted_and_warned_of_once_a_minute() {
    let warnings = Warnings::default();
    let _listening = tracing::subscriber::set_default(warnings.clone());
    let stage = Stage::new(|store| store.max_sessions(1));
    for n in 0..50 {
        stage.create(n, None).await.unwrap();
    }
    assert_eq!((stage.store.evicted(), warnings.0.load(Ordering::SeqCst)), (49, 1));
    stage.clock.advance(60 * SECOND);
    stage.create(50, None).await.unwrap();
    stage.create(51, None).await.unwrap();
    assert_eq!(warnings.0.load(Ordering::SeqCst), 2);
}

/// What a session of the model is: last seen, and whether somebody is signed in.
type Model = BTreeMap<u32, (Timestamp, bool)>;

/// The sessions one of which must go: all that are idle equally long.
fn longest_idle(model: &Model) -> Vec<u32> {
    let nobodys = || model.iter().filter(|(_, (_, user))| !user);
    let first = nobodys().map(|(_, (seen, _))| *seen).min();
    nobodys().filter(|(_, (seen, _))| Some(*seen) == first).map(|(n, _)| *n).collect()
}

async fn step(
    stage: &Stage,
    model: &mut Model,
    next: &mut u32,
    what: u8,
    pick: usize,
) -> Result<(), TestCaseError> {
    let picked = model.keys().copied().nth(pick % model.len().max(1));
    let now = stage.now();
    match (what, picked) {
        (0..=3, _) => {
            *next += 1;
            let user = (what == 0).then_some("ada");
            let full = model.len() == 8;
            let candidates = longest_idle(model);
            let answer = stage.create(*next, user).await;
            if full && candidates.is_empty() {
                prop_assert_eq!(answer, Err(ErrorKind::Full));
                return Ok(());
            }
            prop_assert_eq!(answer, Ok(()));
            if full {
                let mut gone = Vec::new();
                for n in model.keys() {
                    if stage.held(*n).await.is_none() {
                        gone.push(*n);
                    }
                }
                prop_assert!(gone.len() == 1 && candidates.contains(&gone[0]), "{gone:?} of {candidates:?}");
                model.remove(&gone[0]);
            }
            model.insert(*next, (now, user.is_some()));
        }
        (4 | 5, Some(n)) => {
            stage.slide(n).await.unwrap();
            model.get_mut(&n).unwrap().0 = now;
        }
        (6, Some(n)) => {
            let user = !model[&n].1;
            stage.sign(n, user.then_some("ada")).await.unwrap();
            let seen = stage.held(n).await.unwrap().era().unwrap().last_seen();
            model.insert(n, (seen, user));
        }
        (7, Some(n)) => {
            prop_assert!(stage.end(n).await);
            model.remove(&n);
        }
        _ => stage.clock.advance(Duration::from_millis(pick as u64 % 3)),
    }
    prop_assert_eq!(stage.store.len(), model.len());
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn whoever_goes_is_the_longest_idle_of_all_shards(
        steps in prop::collection::vec((0..10_u8, any::<usize>()), 1..120)
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let stage = Stage::new(|store| store.max_sessions(8));
            let (mut model, mut next) = (Model::new(), 0);
            for (what, pick) in steps {
                step(&stage, &mut model, &mut next, what, pick).await?;
            }
            Ok::<_, TestCaseError>(())
        })?;
    }
}
