//! Commits of one session inside this process queue up and go together.
//!
//! The first one goes at once; those that come while it is under way wait and go as one write behind it. So requests of
//! one session hardly ever race each other to the server, however many there are.
//!
//! **Invariant.** A queue is in the map while somebody is at it, and only then: a task that carries out its jobs, or the
//! caller of a commit that went at once. When the latter is done or dropped, a task goes on with what came meanwhile; where it
//! is neither for long, whoever waits has a task [take over](Combiner::take_over). So nobody waits for a caller who is gone
//! or does not ask.

use std::collections::hash_map::Entry;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use abide_core::{Changes, CommitOptions, Error, ErrorKind, Loaded, SessionKey};
use foldhash::HashMap;
use tokio::sync::oneshot;
use tokio::time::Instant;

/// So that two sessions seldom want one lock.
const SHARDS: usize = 16;

/// One commit as it is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wish<'a> {
    pub(crate) changes: &'a Changes,
    pub(crate) options: &'a CommitOptions,
    pub(crate) deadline: Instant,
}

impl Wish<'_> {
    pub(crate) fn is_login(&self) -> bool {
        self.changes.new_era().is_some()
    }
}

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
    pub(crate) fn new(wish: Wish<'_>) -> (Self, Answer) {
        let (answer, receiver) = oneshot::channel();
        let Wish { changes, options, deadline } = wish;
        (Self { changes: changes.clone(), options: *options, deadline, answer }, receiver)
    }

    pub(crate) fn wish(&self) -> Wish<'_> {
        Wish { changes: &self.changes, options: &self.options, deadline: self.deadline }
    }

    fn is_login(&self) -> bool {
        self.wish().is_login()
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

/// Of a caller who carries out a commit of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Turn(u64);

/// The jobs of one session, in the order in which they came.
#[derive(Debug, Default)]
struct Queue {
    jobs: Vec<Job>,
    /// The caller who is at it; `None` where a task is.
    turn: Option<Turn>,
}

type Queues = HashMap<SessionKey, Queue>;

#[derive(Debug, Default)]
pub(crate) struct Combiner {
    shards: [Mutex<Queues>; SHARDS],
    turns: AtomicU64,
}

impl Combiner {
    /// Has the caller carry out a commit without a job, unless somebody is at the session. To be followed by
    /// [`end`](Self::end).
    pub(crate) fn begin(&self, key: &SessionKey) -> Option<Turn> {
        match self.shard(key).entry(*key) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => {
                let turn = Turn(self.turns.fetch_add(1, Ordering::Relaxed));
                place.insert(Queue { jobs: Vec::new(), turn: Some(turn) });
                Some(turn)
            }
        }
    }

    /// A caller is done. Answers whether it is to have the queue carried out.
    pub(crate) fn end(&self, key: &SessionKey, turn: Turn) -> bool {
        let mut shard = self.shard(key);
        let Entry::Occupied(mut queue) = shard.entry(*key) else { return false };
        if queue.get().turn != Some(turn) {
            return false;
        }
        if queue.get().jobs.is_empty() {
            queue.remove();
            return false;
        }
        queue.get_mut().turn = None;
        true
    }

    /// Waits no longer for a caller who is at it. Answers whether there was one: then whoever asks is to have the queue
    /// carried out.
    pub(crate) fn take_over(&self, key: &SessionKey) -> bool {
        self.shard(key).get_mut(key).is_some_and(|queue| queue.turn.take().is_some())
    }

    /// Queues a job. Answers whether the caller is to have the queue carried out.
    pub(crate) fn push(&self, key: &SessionKey, job: Job) -> bool {
        let mut shard = self.shard(key);
        let is_first = !shard.contains_key(key);
        shard.entry(*key).or_default().jobs.push(job);
        is_first
    }

    /// The jobs that go together next. Without any the queue is gone.
    pub(crate) fn next(&self, key: &SessionKey) -> Option<Batch> {
        let mut shard = self.shard(key);
        let queue = &mut shard.get_mut(key)?.jobs;
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
        let (options, deadline) = (CommitOptions::default(), Instant::now());
        Job::new(Wish { changes: &changes, options: &options, deadline }).0
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

    #[test]
    fn a_caller_who_goes_at_once_leaves_what_came_meanwhile_to_a_task() {
        let (combiner, key) = (Combiner::default(), SessionKey::from_bytes([7; 16]));
        let alone = combiner.begin(&key).unwrap();
        assert!(!combiner.end(&key, alone), "nothing came");
        let first = combiner.begin(&key).unwrap();
        assert!(combiner.begin(&key).is_none() && !combiner.push(&key, job(false)), "others wait");
        assert!(combiner.end(&key, first));
        assert!(!combiner.end(&key, first) && combiner.begin(&key).is_none(), "a task is at it");
    }

    #[test]
    fn whoever_takes_over_from_a_caller_is_not_disturbed_by_its_end() {
        let (combiner, key) = (Combiner::default(), SessionKey::from_bytes([7; 16]));
        let slow = combiner.begin(&key).unwrap();
        assert!(!combiner.push(&key, job(false)));
        assert!(combiner.take_over(&key) && !combiner.take_over(&key), "one does");
        assert!(!combiner.end(&key, slow));
        assert!(matches!(combiner.next(&key), Some(Batch::Writes(jobs)) if jobs.len() == 1));
        assert!(combiner.next(&key).is_none());
        // Another caller is at it by the time that the slow one is done.
        let next = combiner.begin(&key).unwrap();
        assert!(!combiner.end(&key, slow) && combiner.begin(&key).is_none());
        assert!(!combiner.end(&key, next));
    }
}
