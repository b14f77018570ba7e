//! A planned restart keeps every session, and what is wrong with a snapshot is said.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod stage;

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, CommitOptions, CreateOptions, EndOptions, EndReason, EndUserOptions, ErrorKind, LoadOptions,
    ManualClock, NewRecord, Page, Readiness, Record, SessionKey, SessionStore, Stamps,
};
use abide_memory::{MemoryStore, MemoryStoreBuilder, SnapshotError};
use stage::{Directory, START, key, token};

const HOUR: Duration = Duration::from_secs(3600);
const DEADLINE: Duration = Duration::from_secs(30);

/// A place for a snapshot, and a clock that goes on over restarts.
struct Place {
    directory: Directory,
    clock: Arc<ManualClock>,
    stamps: Stamps,
}

impl Place {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(START));
        Self { directory: Directory::new("snapshot"), clock, stamps: Stamps::new(1) }
    }

    fn path(&self) -> PathBuf {
        self.directory.path("sessions")
    }

    fn builder(&self) -> MemoryStoreBuilder {
        MemoryStore::builder().clock(self.clock.clone())
    }

    async fn try_open(&self) -> Result<MemoryStore, SnapshotError> {
        self.builder().snapshot(self.path()).open().await
    }

    async fn open(&self) -> MemoryStore {
        self.try_open().await.unwrap()
    }

    fn record(&self, n: u32, user: Option<&str>) -> Record {
        let now = abide_core::Clock::now(&*self.clock);
        let stamp = self.stamps.next(now);
        let new = NewRecord::new(stamp, [1; 16], token(n).verifier(), now)
            .idle_timeout(HOUR)
            .hard_deadline(now + 10 * HOUR)
            .value("n", n.to_string().into_bytes());
        Record::create(match user {
            Some(user) => new.user(user, now),
            None => new,
        })
    }

    async fn create(&self, store: &MemoryStore, n: u32, user: Option<&str>) -> Result<(), abide_core::Error> {
        store.create(&key(n), self.record(n, user), &CreateOptions::default()).await.map(|_| ())
    }

    /// A snapshot of a store with one session.
    async fn leave_one(&self) -> Vec<u8> {
        let store = self.open().await;
        self.create(&store, 1, Some("ada")).await.unwrap();
        assert_eq!(store.drain(DEADLINE).await.unwrap().handed_over, 1);
        fs::read(self.path()).unwrap()
    }

    /// Opening is refused for this reason, and the file stays as it is.
    async fn refused(&self, why: &str) {
        let before = fs::symlink_metadata(self.path()).unwrap();
        let error = self.try_open().await.unwrap_err();
        let said = error.to_string();
        assert!(said.contains(why) && said.contains(self.path().to_str().unwrap()), "{said}");
        let after = fs::symlink_metadata(self.path()).unwrap();
        assert_eq!(
            (before.len(), before.modified().unwrap()),
            (after.len(), after.modified().unwrap()),
            "{said}"
        );
    }
}

async fn held(store: &MemoryStore, n: u32) -> Option<Arc<Record>> {
    store.load(&key(n), &LoadOptions::default()).await.unwrap().map(|loaded| loaded.record)
}

async fn keys_of(store: &MemoryStore, user: &str) -> Vec<SessionKey> {
    let page = store.of_user(user, &Page::default().limit(10_000)).await.unwrap();
    page.sessions.iter().map(|session| session.key).collect()
}

async fn end(store: &MemoryStore, n: u32) -> Result<bool, ErrorKind> {
    let ended = store.end(&key(n), EndReason::LoggedOut, &EndOptions::default()).await;
    ended.map(|outcome| outcome.was_live).map_err(|error| error.kind())
}

#[tokio::test]
async fn a_planned_restart_keeps_every_session_as_it_was() {
    let place = Place::new();
    let store = place.open().await;
    let mut before = Vec::new();
    for n in 0..500 {
        let user = format!("user {}", n % 7);
        place.create(&store, n, (n % 3 != 0).then_some(user.as_str())).await.unwrap();
        place.clock.advance(Duration::from_millis(10));
        before.push(held(&store, n).await.unwrap());
    }
    assert!(end(&store, 5).await.unwrap());
    let drained = store.drain(DEADLINE).await.unwrap();
    assert_eq!((drained.handed_over, drained.left_behind), (499, 0));
    let mode = fs::metadata(place.path()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    let next = place.open().await;
    assert!(!place.path().exists(), "it is gone before anybody is served");
    assert_eq!(next.len(), 499);
    for (n, before) in (0..).zip(&before) {
        assert_eq!(held(&next, n).await.as_ref(), (n != 5).then_some(before), "session {n}");
    }
    for user in 0..7 {
        let user = format!("user {user}");
        assert_eq!(keys_of(&next, &user).await, keys_of(&store, &user).await);
        assert!(!keys_of(&next, &user).await.is_empty());
    }
    // It goes on: it is written, ended, and expires.
    let record = held(&next, 6).await.unwrap();
    let mut changes =
        Changes::new(place.stamps.next_after(START, record.latest_stamp()), record.era().unwrap().id());
    changes.set("a", b"1".as_slice());
    next.commit(&key(6), Default::default(), &changes, &CommitOptions::default()).await.unwrap();
    assert!(end(&next, 7).await.unwrap());
    place.clock.advance(HOUR + Duration::from_secs(60));
    assert_eq!(next.sweep(), 498);
    assert!(next.is_empty() && keys_of(&next, "user 1").await.is_empty());
}

#[tokio::test]
async fn sessions_that_expired_are_left_out_when_it_is_written_and_when_it_is_taken_in() {
    let place = Place::new();
    let store = place.open().await;
    place.create(&store, 1, None).await.unwrap();
    place.clock.advance(HOUR / 2);
    place.create(&store, 2, Some("ada")).await.unwrap();
    place.clock.advance(HOUR / 2);
    place.create(&store, 3, Some("ada")).await.unwrap();
    assert_eq!(store.drain(DEADLINE).await.unwrap().handed_over, 2);
    place.clock.advance(HOUR / 2);
    let next = place.open().await;
    assert_eq!((next.len(), keys_of(&next, "ada").await), (1, vec![key(3)]));
}

#[tokio::test]
async fn after_a_crash_nothing_is_there() {
    let place = Place::new();
    place.leave_one().await;
    let store = place.open().await;
    assert!(held(&store, 1).await.is_some());
    drop(store); // Without a drain: as a crash leaves it.
    assert!(place.open().await.is_empty());
}

#[tokio::test]
async fn a_drained_store_reads_on_and_refuses_every_write() {
    let place = Place::new();
    let store = place.open().await;
    place.create(&store, 1, Some("ada")).await.unwrap();
    let record = held(&store, 1).await.unwrap();
    store.drain(DEADLINE).await.unwrap();
    assert_eq!(held(&store, 1).await.unwrap(), record);
    assert_eq!(keys_of(&store, "ada").await, [key(1)]);
    let unavailable = Err(ErrorKind::Unavailable);
    let kind = |error: abide_core::Error| {
        assert!(error.to_string().ends_with("the store was drained"), "{error}");
        error.kind()
    };
    assert_eq!(place.create(&store, 2, None).await.map_err(kind), Err(ErrorKind::Unavailable));
    let mut changes = Changes::new(place.stamps.next(START), record.era().unwrap().id());
    changes.set("a", b"1".as_slice());
    let commit = store.commit(&key(1), Default::default(), &changes, &CommitOptions::default()).await;
    assert_eq!(commit.map(|_| ()).map_err(kind), unavailable);
    assert_eq!(end(&store, 1).await, Err(ErrorKind::Unavailable));
    assert_eq!(end(&store, 9).await, Err(ErrorKind::Unavailable), "also of what is not there");
    let ended = store.end_user("ada", &EndUserOptions::default()).await;
    assert_eq!(ended.map_err(kind), Err(ErrorKind::Unavailable));
    assert_eq!(store.end_all(EndReason::LoggedOut).await.map_err(kind), Err(ErrorKind::Unavailable));
    assert!(matches!(store.ready().await, Readiness::NotReady(_)));
    assert_eq!(store.drain(DEADLINE).await.unwrap().handed_over, 1, "asked again it answers the same");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_session_whose_end_was_answered_is_not_in_the_snapshot_and_one_whose_end_was_refused_is() {
    for round in 0..20_u64 {
        let place = Arc::new(Place::new());
        let store = place.open().await;
        for n in 0..256 {
            place.create(&store, n, Some("ada")).await.unwrap();
        }
        let ends = (0..256).map(|n| {
            let store = store.clone();
            tokio::spawn(async move { end(&store, n).await })
        });
        let ends: Vec<_> = ends.collect();
        tokio::time::sleep(Duration::from_micros(round * 20)).await;
        let drained = store.drain(DEADLINE).await.unwrap().handed_over;
        let next = place.open().await;
        let mut refused = 0;
        for (n, end) in (0..).zip(ends) {
            let ended = end.await.unwrap();
            refused += u64::from(ended.is_err());
            assert_eq!(held(&next, n).await.is_some(), ended.is_err(), "session {n}: {ended:?}");
        }
        assert_eq!(drained, refused);
    }
}

#[tokio::test]
async fn the_end_of_all_of_a_user_and_of_everybody_is_remembered_over_a_restart() {
    let place = Place::new();
    let store = place.open().await;
    let began = START;
    place.clock.advance(Duration::from_secs(1));
    store.end_user("ada", &EndUserOptions::default()).await.unwrap();
    store.drain(DEADLINE).await.unwrap();
    let next = place.open().await;
    let early = CreateOptions::default().began(began);
    let login = async |store: &MemoryStore, n: u32, user: Option<&str>| {
        let answer = store.create(&key(n), place.record(n, user), &early).await;
        answer.map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(login(&next, 1, Some("ada")).await, Err(ErrorKind::Superseded));
    assert_eq!(login(&next, 2, Some("bob")).await, Ok(()));
    next.end_all(EndReason::EndedByAdministrator).await.unwrap();
    next.drain(DEADLINE).await.unwrap();
    let last = place.open().await;
    assert_eq!(login(&last, 3, Some("bob")).await, Err(ErrorKind::Superseded));
    assert_eq!(login(&last, 4, None).await, Err(ErrorKind::Superseded));
    place.create(&last, 5, Some("ada")).await.unwrap();
}

#[tokio::test]
async fn a_damaged_foreign_or_newer_file_is_refused_by_name_and_left_where_it_is() {
    let place = Place::new();
    let whole = place.leave_one().await;
    let mut newer = whole.clone();
    newer[8] = 9;
    let mut flipped = whole.clone();
    flipped[60] ^= 1;
    for (bytes, why) in [
        (&whole[..whole.len() - 1], "cut short or damaged"),
        (&whole[..20], "cut short or damaged"),
        (&flipped[..], "cut short or damaged"),
        (&[][..], "it is not a snapshot of abide"),
        (b"[sessions]\n", "it is not a snapshot of abide"),
        (&newer[..], "it has the format 9"),
    ] {
        fs::write(place.path(), bytes).unwrap();
        place.refused(why).await;
    }
    fs::write(place.path(), whole).unwrap();
    assert_eq!(place.open().await.len(), 1, "and taken in once it is whole again");
}

#[tokio::test]
async fn a_file_that_another_may_have_written_is_refused() {
    let place = Place::new();
    place.leave_one().await;
    for mode in [0o644, 0o660, 0o602, 0o601] {
        fs::set_permissions(place.path(), fs::Permissions::from_mode(mode)).unwrap();
        place.refused(&format!("others may read or write it: its mode is {mode:04o}, expected 0600")).await;
    }
    fs::set_permissions(place.path(), fs::Permissions::from_mode(0o600)).unwrap();
    if std::os::unix::fs::chown(place.path(), Some(12_345), None).is_ok() {
        place.refused("it belongs to the user 12345, and this process runs as").await;
    }
}

#[tokio::test]
async fn a_link_and_what_is_no_regular_file_are_refused() {
    let place = Place::new();
    place.leave_one().await;
    let elsewhere = place.directory.path("elsewhere");
    fs::rename(place.path(), &elsewhere).unwrap();
    symlink(&elsewhere, place.path()).unwrap();
    place.refused("it is a symbolic link").await;
    assert!(elsewhere.exists());
    fs::remove_file(place.path()).unwrap();
    symlink("nowhere", place.path()).unwrap();
    place.refused("it is a symbolic link").await;
    fs::remove_file(place.path()).unwrap();
    fs::create_dir(place.path()).unwrap();
    place.refused("it is no regular file").await;
    fs::remove_dir(place.path()).unwrap();
    // A pipe is not waited for.
    let made = std::process::Command::new("mkfifo").arg(place.path()).status().unwrap();
    assert!(made.success());
    place.refused("it is no regular file").await;
}

#[tokio::test]
async fn a_path_that_is_none_and_a_directory_that_is_missing_are_named() {
    let place = Place::new();
    for (path, why) in [
        (PathBuf::from("/"), "expected the path of a file"),
        (place.directory.path("missing/sessions"), "its lock cannot be taken"),
    ] {
        let error = place.builder().snapshot(&path).open().await.unwrap_err();
        assert!(error.to_string().contains(why) && error.path() == path, "{error}");
    }
}

#[tokio::test]
async fn two_stores_never_share_a_snapshot() {
    let place = Place::new();
    place.leave_one().await;
    let first = place.open().await;
    let error = place.try_open().await.unwrap_err().to_string();
    assert!(error.ends_with("another process uses it, as its lock says"), "{error}");
    first.drain(DEADLINE).await.unwrap();
    let second = place.open().await;
    assert_eq!(second.len(), 1, "a drain that is done gives it free");
    drop(second);
    assert!(place.open().await.is_empty(), "and so does the end of a store");
}

#[tokio::test]
async fn a_snapshot_that_cannot_be_written_leaves_the_store_as_it_was() {
    let place = Place::new();
    let store = place.open().await;
    place.create(&store, 1, Some("ada")).await.unwrap();
    for obstacle in ["sessions", "sessions.new"] {
        // A directory with something in it: neither replaced nor removed.
        fs::create_dir_all(place.directory.path(obstacle).join("full")).unwrap();
        let error = store.drain(DEADLINE).await.unwrap_err();
        assert!(
            error.kind() == ErrorKind::Unavailable
                && error.to_string().contains("sessions: it cannot be written")
        );
        fs::remove_dir_all(place.directory.path(obstacle)).unwrap();
        assert_eq!(store.ready().await, Readiness::Ready);
    }
    let error = store.drain(Duration::ZERO).await.unwrap_err();
    assert!(error.to_string().ends_with("the time to drain is up"), "{error}");
    assert_eq!(fs::read_dir(&place.directory).unwrap().count(), 1, "the lock alone");
    place.create(&store, 2, Some("ada")).await.unwrap();
    assert!(end(&store, 1).await.unwrap());
    assert_eq!(store.drain(DEADLINE).await.unwrap().handed_over, 1);
    assert_eq!(keys_of(&place.open().await, "ada").await, [key(2)]);
}

#[tokio::test]
async fn what_a_crash_left_of_an_unfinished_snapshot_is_removed_and_never_read() {
    let place = Place::new();
    let whole = place.leave_one().await;
    fs::rename(place.path(), place.directory.path("sessions.new")).unwrap();
    assert!(place.open().await.is_empty(), "{} bytes", whole.len());
    assert!(!place.directory.path("sessions.new").exists());
}

#[tokio::test]
async fn under_a_lower_bound_users_come_first_then_whoever_was_seen_last() {
    let place = Place::new();
    let store = place.open().await;
    for n in 0..10 {
        place.create(&store, n, (n < 3).then_some("ada")).await.unwrap();
        place.clock.advance(Duration::from_secs(1));
    }
    store.drain(DEADLINE).await.unwrap();
    let error = place.builder().max_sessions(2).snapshot(place.path()).open().await.unwrap_err();
    assert!(error.to_string().contains("more sessions with a user than max_sessions"), "{error}");
    assert!(place.path().exists());
    let next = place.builder().max_sessions(5).snapshot(place.path()).open().await.unwrap();
    assert_eq!((next.len(), next.evicted()), (5, 5));
    for n in 0..10 {
        assert_eq!(held(&next, n).await.is_some(), !(3..=7).contains(&n), "session {n}");
    }
    // And the bound holds on.
    place.create(&next, 20, None).await.unwrap();
    assert!((next.len(), next.evicted()) == (5, 6) && held(&next, 8).await.is_none());
}
