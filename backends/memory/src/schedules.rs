//! What the locks of the store promise, under thousands of schedules: nobody waits for ever, and whatever comes between
//! two locks, a login is refused by the barrier or found in the list, and what ended stays over.
//!
//! All keys here lie in one shard, so that every operation meets every other one.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    Changes, CommitOptions, CreateOptions, EndOptions, EndReason, EndUserOptions, Error, ErrorKind, Keep,
    LoadOptions, Loaded, ManualClock, NewEra, NewRecord, Page, Record, SessionKey, SessionStore, Stamps,
    Timestamp, Token,
};
use abide_harness::explore;
use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

use crate::MemoryStore;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const SECOND: Duration = Duration::from_secs(1);
const IDLE: Duration = Duration::from_secs(60);

/// A store with the sessions of one shard.
#[derive(Clone)]
struct Stage {
    store: MemoryStore,
    clock: Arc<ManualClock>,
    stamps: Arc<Stamps>,
}

impl Stage {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = MemoryStore::builder().clock(clock.clone()).build();
        Self { store, clock, stamps: Arc::new(Stamps::new(1)) }
    }

    /// Does something beside the others.
    fn beside<T: Send + 'static>(&self, act: impl FnOnce(Self) -> T + Send + 'static) -> JoinHandle<T> {
        let stage = self.clone();
        thread::spawn(move || act(stage))
    }

    fn record(&self, user: Option<&str>) -> Record {
        let new = NewRecord::new(self.stamps.next(START), [1; 16], token(0).verifier(), START);
        let new = new.idle_timeout(IDLE);
        Record::create(match user {
            Some(user) => new.user(user, START),
            None => new,
        })
    }

    /// Creates a session by a request that began at the start.
    fn create(&self, n: u8, user: Option<&str>) -> Result<Loaded, Error> {
        self.create_again(n, &self.record(user))
    }

    fn create_again(&self, n: u8, record: &Record) -> Result<Loaded, Error> {
        let options = CreateOptions::default().began(START);
        block_on(self.store.create(&key(n), record.clone(), &options))
    }

    fn load(&self, n: u8) -> Option<Loaded> {
        block_on(self.store.load(&key(n), &LoadOptions::default())).unwrap()
    }

    /// Changes a session, by a request that began at the start.
    fn commit(&self, n: u8, seen: &Loaded, change: impl FnOnce(&mut Changes)) -> Result<Loaded, Error> {
        let stamp = self.stamps.next_after(START, seen.record.latest_stamp());
        let mut changes = Changes::new(stamp, seen.record.era().unwrap().id());
        change(&mut changes);
        block_on(self.store.commit(&key(n), seen.version, &changes, &CommitOptions::default().began(START)))
    }

    fn log_in(&self, n: u8, seen: &Loaded, user: &str) -> Result<Loaded, Error> {
        let era = NewEra::new([n; 16], token(n).verifier(), START + Duration::from_secs(3_600));
        self.commit(n, seen, |changes| changes.open_era(era.keep(Keep::All).user(user, START)))
    }

    fn end(&self, n: u8) -> bool {
        block_on(self.store.end(&key(n), EndReason::LoggedOut, &EndOptions::default())).unwrap().was_live
    }

    fn end_user(&self, user: &str) -> u64 {
        block_on(self.store.end_user(user, &EndUserOptions::default())).unwrap()
    }

    fn of_user(&self, user: &str) -> usize {
        block_on(self.store.of_user(user, &Page::default())).unwrap().sessions.len()
    }

    fn user(&self, n: u8) -> Option<Arc<str>> {
        self.load(n)?.record.era()?.user().cloned()
    }

    /// What is counted is what is there, and lists hold just the sessions of their users.
    fn is_sound(&self) {
        let live: Vec<_> = (0..4).filter_map(|n| self.load(n)).collect();
        assert_eq!(self.store.len(), live.len(), "sessions held");
        for user in ["ada", "bob"] {
            let theirs = (0..4).filter(|n| self.user(*n).as_deref() == Some(user)).count();
            assert_eq!(self.of_user(user), theirs, "sessions of {user}");
        }
    }
}

fn token(n: u8) -> Token {
    Token::from_bytes([n; 32])
}

/// Every key in one shard.
fn key(n: u8) -> SessionKey {
    let mut bytes = [7; 16];
    bytes[15] = n;
    SessionKey::from_bytes(bytes)
}

fn done<T>(beside: JoinHandle<T>) -> T {
    beside.join().unwrap()
}

fn is_one_of<T>(answer: &Result<T, Error>, kinds: &[ErrorKind]) {
    let Err(error) = answer else { return };
    assert!(kinds.contains(&error.kind()), "{error}");
}

#[test]
fn a_login_is_refused_by_the_barrier_or_found_in_the_list() {
    explore(|| {
        let stage = Stage::new();
        let anonymous = stage.create(0, None).unwrap();
        stage.clock.advance(SECOND);
        let login = stage.beside(move |s| s.log_in(0, &anonymous, "ada").is_ok());
        let created = stage.beside(|s| s.create(1, Some("ada")).is_ok());
        let swept = stage.beside(|s| s.store.sweep());
        let ended = stage.end_user("ada");
        let logins = u64::from(done(login)) + u64::from(done(created));
        done(swept);
        assert_eq!(ended, logins, "every login that was answered was ended");
        assert_eq!((stage.of_user("ada"), stage.user(0), stage.user(1)), (0, None, None));
        stage.is_sound();
    });
}

#[test]
fn a_login_is_refused_by_the_barrier_of_all_or_ended_with_the_rest() {
    explore(|| {
        let stage = Stage::new();
        let anonymous = stage.create(0, None).unwrap();
        stage.clock.advance(SECOND);
        let login = stage.beside(move |s| s.log_in(0, &anonymous, "ada"));
        let created = stage.beside(|s| s.create(1, Some("ada")));
        let visitor = stage.beside(|s| s.create(2, None));
        block_on(stage.store.end_all(EndReason::EndedByAdministrator)).unwrap();
        for answer in [done(login), done(created), done(visitor)] {
            is_one_of(&answer, &[ErrorKind::Superseded, ErrorKind::Ended]);
        }
        assert!((0..3).all(|n| stage.load(n).is_none()) && stage.store.is_empty());
        stage.is_sound();
    });
}

#[test]
fn what_was_ended_is_never_held_alive() {
    explore(|| {
        let stage = Stage::new();
        let record = stage.record(None);
        let seen = stage.create_again(0, &record).unwrap();
        let (for_login, for_set) = (seen.clone(), seen);
        let again = stage.beside(move |s| s.create_again(0, &record));
        let login = stage.beside(move |s| s.log_in(0, &for_login, "ada"));
        let set = stage.beside(move |s| s.commit(0, &for_set, |changes| changes.set("a", [1].as_slice())));
        let ended = stage.beside(|s| s.end(0));
        assert!(done(ended), "it was live until then");
        assert!(stage.load(0).is_none(), "from the end's answer on");
        is_one_of(&done(again), &[ErrorKind::Ended]);
        is_one_of(&done(login), &[ErrorKind::Ended]);
        is_one_of(&done(set), &[ErrorKind::Ended, ErrorKind::Superseded]);
        assert!(stage.load(0).is_none() && stage.store.is_empty());
        stage.is_sound();
    });
}

#[test]
fn a_session_that_moves_from_user_to_user_is_in_the_list_of_the_last() {
    explore(|| {
        let stage = Stage::new();
        let seen = stage.create(0, Some("ada")).unwrap();
        let (one, two) = (seen.clone(), seen);
        let to_bob = stage.beside(move |s| s.log_in(0, &one, "bob"));
        let to_nobody = stage.beside(move |s| {
            let era = NewEra::new([9; 16], token(9).verifier(), START + Duration::from_secs(3_600));
            s.commit(0, &two, |changes| changes.open_era(era))
        });
        let beside = stage.beside(|s| s.create(1, Some("ada")));
        let ended = stage.beside(|s| s.end(1));
        let moved = u8::from(done(to_bob).is_ok()) + u8::from(done(to_nobody).is_ok());
        assert_eq!(moved, 1, "one of two logins opens the era");
        is_one_of(&done(beside), &[ErrorKind::Ended]);
        done(ended);
        stage.is_sound();
    });
}

#[test]
fn a_session_that_a_sweep_meets_is_slid_or_gone() {
    explore(|| {
        let stage = Stage::new();
        let seen = stage.create(0, Some("ada")).unwrap();
        stage.create(1, Some("ada")).unwrap();
        let slide = stage.beside(move |s| s.commit(0, &seen, |changes| changes.seen_at(START + IDLE)));
        let swept = stage.beside(|s| {
            s.clock.advance(IDLE + 20 * SECOND);
            s.store.sweep()
        });
        let created = stage.beside(|s| s.create(2, Some("bob")));
        let slid = done(slide);
        is_one_of(&slid, &[ErrorKind::Ended, ErrorKind::Missing]);
        is_one_of(&done(created), &[ErrorKind::Ended]);
        done(swept);
        stage.store.sweep();
        assert_eq!(stage.load(0).is_some(), slid.is_ok());
        assert!(stage.load(1).is_none(), "its deadline passed");
        stage.is_sound();
    });
}

#[test]
fn a_session_that_was_seen_over_is_never_seen_alive_again() {
    explore(|| {
        let stage = Stage::new();
        let seen = stage.create(0, None).unwrap();
        let end = START + IDLE;
        let slide = stage.beside(move |s| s.commit(0, &seen, |changes| changes.seen_at(end)));
        let over = stage.beside(|s| {
            s.clock.advance(IDLE);
            s.load(0).is_none()
        });
        let slid = done(slide);
        is_one_of(&slid, &[ErrorKind::Ended]);
        if done(over) {
            assert!(slid.is_err() && stage.load(0).is_none(), "it lives again");
        }
    });
}

#[test]
fn logins_at_the_same_time_leave_as_many_sessions_as_the_limit() {
    explore(|| {
        let stage = Stage::new();
        let log_in = |n: u8| {
            stage.beside(move |s| {
                let options = CreateOptions::default().user_limit(NonZeroUsize::new(2));
                block_on(s.store.create(&key(n), s.record(Some("ada")), &options))
            })
        };
        let logins = [0, 1, 2, 3].map(log_in);
        for login in logins {
            // One that the others outnumber before its record is in is over at once.
            is_one_of(&done(login), &[ErrorKind::Ended]);
        }
        assert_eq!(stage.of_user("ada"), 2);
        stage.is_sound();
    });
}

#[test]
fn a_session_that_a_later_login_outnumbered_does_not_log_in_again_and_outnumber_that() {
    explore(|| {
        let stage = Stage::new();
        let seen = stage.create(0, Some("ada")).unwrap();
        let limit = NonZeroUsize::new(1);
        let later = stage.beside(move |s| {
            let options = CreateOptions::default().user_limit(limit);
            block_on(s.store.create(&key(1), s.record(Some("ada")), &options))
        });
        let again = stage.beside(move |s| {
            let era = NewEra::new([9; 16], token(9).verifier(), START + 2 * IDLE).user("ada", START + SECOND);
            let stamp = s.stamps.next_after(START, seen.record.latest_stamp());
            let mut changes = Changes::new(stamp, seen.record.era().unwrap().id());
            changes.open_era(era);
            let options = CommitOptions::default().user_limit(limit);
            block_on(s.store.commit(&key(0), seen.version, &changes, &options))
        });
        is_one_of(&done(later), &[ErrorKind::Ended]);
        is_one_of(&done(again), &[ErrorKind::Ended]);
        assert_eq!(stage.of_user("ada"), 1, "they ended each other");
        stage.is_sound();
    });
}

#[test]
fn the_end_of_all_of_a_user_spares_a_session_that_became_anothers() {
    explore(|| {
        let stage = Stage::new();
        let seen = stage.create(0, Some("ada")).unwrap();
        stage.clock.advance(SECOND);
        let to_bob = stage.beside(move |s| s.log_in(0, &seen, "bob"));
        let ended = stage.end_user("ada");
        let login = done(to_bob);
        is_one_of(&login, &[ErrorKind::Ended]);
        assert_eq!((ended, login.is_ok()), if stage.load(0).is_some() { (0, true) } else { (1, false) });
        stage.is_sound();
    });
}

#[test]
fn operations_of_every_kind_never_wait_for_each_other_for_ever() {
    explore(|| {
        let stage = Stage::new();
        let seen = stage.create(0, Some("ada")).unwrap();
        let threads = [
            stage.beside(|s| _ = s.create(1, Some("ada"))),
            stage.beside(move |s| _ = s.log_in(0, &seen, "bob")),
            stage.beside(|s| _ = s.end_user("ada")),
            stage.beside(|s| _ = block_on(s.store.end_all(EndReason::LoggedOut))),
            stage.beside(|s| _ = (s.of_user("ada"), s.of_user("bob"))),
            stage.beside(|s| _ = (s.store.sweep(), s.end(1), s.store.len())),
        ];
        threads.into_iter().for_each(done);
        stage.is_sound();
    });
}
