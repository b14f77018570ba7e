//! Commits: from a queue of changes to one write.
//!
//! A batch of changes is merged into the record that was answered last, and one compare-and-set puts the outcome in its
//! place. Where somebody else was faster the server answers their record instead, and the batch is merged into that one:
//! one trip, unless there was a race.
//!
//! **Invariant.** Nothing is decided by a record that may be old. A refusal, and that there is nothing to do, count only
//! where the record was looked at after the commit began; a write is its own proof.

use std::sync::Arc;

use abide_core::{Changes, CommitOptions, Era, Error, ErrorKind, Loaded, Record, SessionKey, Timestamp};
use tokio::time::Instant;

use crate::combine::{Batch, Job, lost};
use crate::connect::Terms;
use crate::inner::{Copies, Inner, after_write};
use crate::reply::Written;
use crate::users::Entry;

/// Changes merged into a record, one after the other.
struct Merged {
    /// What comes of it, where anything does.
    next: Option<Arc<Record>>,
    /// Of each change that was refused, why.
    refusals: Vec<Option<Error>>,
}

/// What a batch came to.
struct Done {
    loaded: Loaded,
    refusals: Vec<Option<Error>>,
    replicas: usize,
}

/// A record that a commit goes by, and whether it was looked at since the commit began.
pub(crate) struct Seen {
    pub(crate) held: Loaded,
    pub(crate) is_current: bool,
}

/// Has jobs answered, also where their task ends before its time.
struct Running<'a> {
    inner: &'a Inner,
    key: SessionKey,
    is_done: bool,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if !self.is_done {
            self.inner.combiner.abandon(&self.key);
        }
    }
}

/// Commits, together with whatever else this process commits to the session meanwhile.
pub(crate) async fn commit(
    inner: &Arc<Inner>,
    key: &SessionKey,
    changes: &Changes,
    options: &CommitOptions,
) -> Result<Loaded, Error> {
    let (job, answer) = Job::new(changes, options, inner.deadline());
    if inner.combiner.push(key, job) {
        tokio::spawn(carry_out_all(inner.clone(), *key));
    }
    answer.await.unwrap_or_else(|_| Err(lost()))
}

/// Carries out the queue of a session to its end.
async fn carry_out_all(inner: Arc<Inner>, key: SessionKey) {
    let mut running = Running { inner: &inner, key, is_done: false };
    while let Some(batch) = inner.combiner.next(&key) {
        match batch {
            Batch::Login(job) => {
                let answer = inner.log_in(&key, &job).await;
                job.answer(answer);
            }
            Batch::Writes(jobs) => {
                inner.counts.combined.add(jobs.len() - 1);
                inner.carry_out(&key, jobs).await;
            }
        }
    }
    running.is_done = true;
}

impl Inner {
    /// Carries out a batch, and answers each of its jobs.
    async fn carry_out(&self, key: &SessionKey, jobs: Vec<Job>) {
        match self.write_batch(key, &jobs).await {
            Ok(done) => {
                let Done { loaded, refusals, replicas } = done;
                for (job, refusal) in jobs.into_iter().zip(refusals) {
                    let wanted = self.replicas(job.options.durability);
                    let answer = match refusal {
                        None => durable(loaded.clone(), replicas, wanted),
                        Some(error) => Err(with_current(error, &loaded)),
                    };
                    job.answer(answer);
                }
            }
            // One of them is too large for the server; which one shows when each goes alone.
            Err(error) if error.kind() == ErrorKind::TooLarge && jobs.len() > 1 => {
                for job in jobs {
                    Box::pin(self.carry_out(key, vec![job])).await;
                }
            }
            Err(error) => answer_all(jobs, error),
        }
    }

    async fn write_batch(&self, key: &SessionKey, jobs: &[Job]) -> Result<Done, Error> {
        let deadline = jobs.iter().map(|job| job.deadline).min().unwrap_or_else(Instant::now);
        let durability = || jobs.iter().map(|job| self.replicas(job.options.durability));
        let (wanted, needed) = (durability().max().unwrap_or(0), durability().min().unwrap_or(0));
        let (mut seen, mut is_listed) = (self.lately(key), false);
        loop {
            let Seen { held, is_current } = self.see(key, seen.take(), deadline).await?;
            let now = self.now();
            let Merged { next, refusals } = merge(&held.record, jobs, now);
            let (loaded, written) = match next {
                Some(next) => {
                    let sealed = self.versions.seal(&next, self.settings.max_bytes)?;
                    let (slid, written) = tokio::join!(
                        self.slide(key, &held.record, &next, now, deadline),
                        self.replace(key, &held, &sealed, Copies { wanted, needed }, deadline)
                    );
                    let written = written?;
                    if let Written::Done(_) = written {
                        slid?;
                    }
                    (sealed.loaded, written)
                }
                None if !is_current => continue,
                None if jobs.iter().any(|job| job.options.retry) && !is_listed => {
                    // The first attempt may have come to the session and not to its user's list.
                    self.list(key, &held.record, now, deadline).await?;
                    (is_listed, seen) = (true, Some(Seen { held, is_current }));
                    continue;
                }
                None if wanted == 0 || refusals.iter().all(Option::is_some) => {
                    return Ok(Done { loaded: held, refusals, replicas: usize::MAX });
                }
                // What was asked for was done before: only the replicas are left to be waited for.
                None => {
                    let written = self.touch(key, &held, wanted, deadline).await?;
                    (held, written)
                }
            };
            match written {
                Written::Done(replicas) => return Ok(Done { loaded, refusals, replicas }),
                Written::Instead(found) => {
                    self.counts.races.add(jobs.len());
                    seen = Some(Seen { held: found.held()?, is_current: true });
                }
            }
        }
    }

    /// What was answered lately.
    pub(crate) fn lately(&self, key: &SessionKey) -> Option<Seen> {
        self.recent.get(key).map(|held| Seen { held, is_current: false })
    }

    /// What there is to go by: what was seen, or what a look finds.
    pub(crate) async fn see(
        &self,
        key: &SessionKey,
        seen: Option<Seen>,
        deadline: Instant,
    ) -> Result<Seen, Error> {
        if self.ended.contains(key) {
            return Err(ErrorKind::Ended.into());
        }
        if Instant::now() >= deadline {
            return Err(Error::new(ErrorKind::Unavailable, "others were faster until the deadline"));
        }
        match seen {
            Some(seen) => Ok(seen),
            None => Ok(Seen { held: self.look(key, deadline).await?.held()?, is_current: true }),
        }
    }

    /// Moves the deadline in the user's list, where it moved.
    pub(crate) async fn slide(
        &self,
        key: &SessionKey,
        before: &Record,
        after: &Record,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<(), Error> {
        let (was, is) = (before.era().map(Era::deadline), after.era().map(Era::deadline));
        if is <= was { Ok(()) } else { self.list(key, after, now, deadline).await }
    }

    /// Sees to it that the user's list has the session under its deadline.
    async fn list(
        &self,
        key: &SessionKey,
        record: &Record,
        now: Timestamp,
        deadline: Instant,
    ) -> Result<(), Error> {
        let (Some(era), Some(entry)) = (record.era(), Entry::of(key, record)) else { return Ok(()) };
        let Some(user) = era.user() else { return Ok(()) };
        after_write(self.users.slide(user, entry, era.deadline(), now, Terms::write(deadline))).await
    }
}

fn merge(held: &Arc<Record>, jobs: &[Job], now: Timestamp) -> Merged {
    let mut next: Option<Arc<Record>> = None;
    let mut refusals = Vec::with_capacity(jobs.len());
    for job in jobs {
        let record = next.as_ref().unwrap_or(held);
        refusals.push(match record.commit(&job.changes, &job.options.rules(now)) {
            Ok(Some(record)) => {
                next = Some(Arc::new(record));
                None
            }
            Ok(None) => None,
            Err(error) => Some(error),
        });
    }
    Merged { next, refusals }
}

/// An answer, once as many replicas have it as were wanted.
pub(crate) fn durable(loaded: Loaded, replicas: usize, wanted: usize) -> Result<Loaded, Error> {
    if replicas < wanted {
        let detail = format!("{replicas} replicas have it in time, {wanted} were asked for");
        return Err(Error::new(ErrorKind::Ambiguous, detail));
    }
    Ok(loaded)
}

/// A refusal with the record that it was judged by, where its kind carries one.
pub(crate) fn with_current(error: Error, current: &Loaded) -> Error {
    if error.kind() == ErrorKind::Conflict { error.with_current(current.clone()) } else { error }
}

/// Answers all of them with one error: one alone with itself, several with one of its kind that names it.
fn answer_all(mut jobs: Vec<Job>, error: Error) {
    if jobs.len() == 1
        && let Some(job) = jobs.pop()
    {
        return job.answer(Err(error));
    }
    let kind = error.kind();
    let error = Arc::new(error);
    for job in jobs {
        job.answer(Err(Error::new(kind, "").with_source(error.clone())));
    }
}
