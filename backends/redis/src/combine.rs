//! Commits of one session inside this process queue up and go together.
//!
//! The first one goes at once; those that come while it is under way wait and go as one write behind it. So requests of
//! one session never race each other to the server, however many there are.
//!
//! **Invariant.** A queue is in the map while somebody carries out its jobs, and only then. Whoever does is a task of its
//! own: a caller that is dropped leaves nothing behind that others wait for.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_core::{Changes, CommitOptions, Error, ErrorKind, Loaded, SessionKey};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// So that two sessions seldom want one lock.
const SHARDS: usize = 16;

/// One commit that waits for its turn.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) changes: Changes,
    pub(crate) options: CommitOptions,
    pub(crate) deadline: Instant,
    answer: oneshot::Sender<Result<Loaded, Error>>,
}

/// What a commit will be answered.
pub(crate) type Answer = oneshot::Receiver<Result<Loaded, Error>>;

impl Job {
    pub(crate) fn new(changes: &Changes, options: &CommitOptions, deadline: Instant) -> (Self, Answer) {
        let (answer, receiver) = oneshot::channel();
        (Self { changes: changes.clone(), options: *options, deadline, answer }, receiver)
    }

    fn is_login(&self) -> bool {
        self.changes.new_era().is_some()
    }

    pub(crate) fn answer(self, answer: Result<Loaded, Error>) {
        // Nobody listens where the caller was dropped.
        let _ = self.answer.send(answer);
    }
}

/// Jobs that go together.
#[derive(Debug)]
#[allow(clippy::large_enum_variant, reason = "it is taken apart where it is made")]
pub(crate) enum Batch {
    /// One that opens a new era goes alone: it takes more than one trip.
    Login(Job),
    /// As many as there are up to the next login.
    Writes(Vec<Job>),
}

/// The error of a job that was dropped with its task.
pub(crate) fn lost() -> Error {
    Error::new(ErrorKind::Ambiguous, "the commit was cut off")
}

type Queues = HashMap<SessionKey, Vec<Job>>;

#[derive(Debug, Default)]
pub(crate) struct Combiner {
    shards: [Mutex<Queues>; SHARDS],
}

impl Combiner {
    /// Queues a job. Answers whether the caller is to have the queue carried out.
    pub(crate) fn push(&self, key: &SessionKey, job: Job) -> bool {
        match self.shard(key).entry(*key) {
            Entry::Occupied(mut queue) => {
                queue.get_mut().push(job);
                false
            }
            Entry::Vacant(place) => {
                place.insert(vec![job]);
                true
            }
        }
    }

    /// The jobs that go together next. Without any the queue is gone.
    pub(crate) fn next(&self, key: &SessionKey) -> Option<Batch> {
        let mut shard = self.shard(key);
        let queue = shard.get_mut(key)?;
        if queue.is_empty() {
            shard.remove(key);
            return None;
        }
        Some(match queue.iter().position(Job::is_login) {
            Some(0) => Batch::Login(queue.remove(0)),
            Some(first) => Batch::Writes(queue.drain(..first).collect()),
            None => Batch::Writes(std::mem::take(queue)),
        })
    }

    /// Drops a queue with its jobs: for a task that ends before its time.
    pub(crate) fn abandon(&self, key: &SessionKey) {
        self.shard(key).remove(key);
    }

    fn shard(&self, key: &SessionKey) -> MutexGuard<'_, Queues> {
        let shard = &self.shards[usize::from(key.as_bytes()[0]) % SHARDS];
        // Each change of the map is one call: a panic leaves it whole.
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use abide_core::{EraId, NewEra, Stamps, Timestamp, Token};

    use super::*;

    fn job(login: bool) -> Job {
        let now = Timestamp::from_millis(1_000);
        let mut changes = Changes::new(Stamps::new(1).next(now), EraId::first([0; 16]));
        if login {
            changes.open_era(NewEra::new([1; 16], Token::from_bytes([1; 32]).verifier(), now));
        }
        Job::new(&changes, &CommitOptions::default(), Instant::now()).0
    }

    #[test]
    fn what_comes_while_one_is_under_way_goes_together_and_a_login_goes_alone() {
        let (combiner, key) = (Combiner::default(), SessionKey::from_bytes([7; 16]));
        assert!(combiner.push(&key, job(false)), "the first one begins");
        let next = || match combiner.next(&key) {
            Some(Batch::Login(_)) => "login".to_owned(),
            Some(Batch::Writes(jobs)) => jobs.len().to_string(),
            None => "gone".to_owned(),
        };
        assert_eq!(next(), "1");
        for login in [false, false, true, true, false] {
            assert!(!combiner.push(&key, job(login)), "the others wait");
        }
        assert_eq!([next(), next(), next(), next(), next()], ["2", "login", "login", "1", "gone"]);
        assert!(combiner.push(&key, job(false)), "the queue was gone");
    }
}
