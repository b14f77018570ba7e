//! Commits: from a queue of changes to one write.
//!
//! A commit of a session that nobody else writes to is carried out where it is asked for. Those that come meanwhile queue up,
//! and a task carries them out together.
//!
//! A batch of changes is merged into the record that was answered last, and one compare-and-set puts the outcome in its
//! place. Where somebody else was faster the server answers their record instead, and the batch is merged into that one:
//! one trip, unless there was a race.
//!
//! **Invariant.** Nothing is decided by a record that may be old. A refusal, and that there is nothing to do, count only
//! where the record was looked at after the commit began; a write is its own proof.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{Changes, CommitOptions, Error, ErrorKind, Loaded, Record, SessionKey, Timestamp};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use crate::combine::{Answer, Batch, Job, Turn, Wish, lost};
use crate::connect::Terms;
use crate::inner::{Copies, Inner, after_write};
use crate::reply::Written;
use crate::users::{Entry, listed_until};

/// How long a commit waits for one that is carried out by its own caller, who may be slow to ask for it: then it waits no
/// longer, for a write is its own proof, whoever else is at it.
const PATIENCE: Duration = Duration::from_millis(200);

/// Wishes merged into a record, one after the other.
struct Merged {
    /// What comes of it, where anything does.
    next: Option<Arc<Record>>,
    /// Which were refused, and why; in their order.
    refusals: Vec<(usize, Error)>,
}

/// What a batch came to.
struct Done {
    loaded: Loaded,
    refusals: Vec<(usize, Error)>,
    replicas: usize,
}

impl Done {
    /// The answer to the next one of them; `refusals` are those that are left.
    fn answer(&mut self, index: usize, wanted: usize) -> Result<Loaded, Error> {
        if self.refusals.first().is_some_and(|(refused, _)| *refused == index) {
            return Err(with_current(self.refusals.remove(0).1, &self.loaded));
        }
        durable(self.loaded.clone(), self.replicas, wanted)
    }
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
    let wish = Wish { changes, options, deadline: inner.deadline() };
    let turn = if wish.is_login() { None } else { inner.combiner.begin(key) };
    if let Some(turn) = turn {
        let turn = Alone { inner, key, turn };
        let written = inner.write_batch(key, &[wish], By::Caller).await;
        drop(turn);
        if let Some(mut done) = written? {
            return done.answer(0, inner.replicas(options.durability));
        }
    }
    Box::pin(queue_up(inner, key, wish)).await
}

/// Who carries out a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    Task,
    /// May be dropped at any time, and so takes one step at the most: nothing may happen in part.
    Caller,
}

/// Has a task carry out a commit, with others.
async fn queue_up(inner: &Arc<Inner>, key: &SessionKey, wish: Wish<'_>) -> Result<Loaded, Error> {
    let (job, mut answer) = Job::new(wish);
    if inner.combiner.push(key, job) {
        tokio::spawn(carry_out_all(inner.clone(), *key));
    } else if let Some(answer) = answered_within(PATIENCE, &mut answer).await {
        return answer;
    } else if inner.combiner.take_over(key) {
        tokio::spawn(carry_out_all(inner.clone(), *key));
    }
    answer.await.unwrap_or_else(|_| Err(lost()))
}

async fn answered_within(time: Duration, answer: &mut Answer) -> Option<Result<Loaded, Error>> {
    let answer = timeout(time, answer).await.ok()?;
    Some(answer.unwrap_or_else(|_| Err(lost())))
}

/// A commit that is carried out where it was asked for. Whoever came meanwhile goes on with it when this is dropped, also
/// where the caller was.
struct Alone<'a> {
    inner: &'a Arc<Inner>,
    key: &'a SessionKey,
    turn: Turn,
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        if !self.inner.combiner.end(self.key, self.turn) {
            return;
        }
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(carry_out_all(self.inner.clone(), *self.key))),
            // Dropped outside of a runtime, which may be gone.
            Err(_) => self.inner.combiner.abandon(self.key),
        }
    }
}

/// Carries out the queue of a session to its end.
async fn carry_out_all(inner: Arc<Inner>, key: SessionKey) {
    let mut running = Running { inner: &inner, key, is_done: false };
    while let Some(batch) = inner.combiner.next(&key) {
        match batch {
            Batch::Login(job) => {
                let answer = Box::pin(inner.log_in(&key, &job)).await;
                job.answer(answer);
            }
            Batch::Writes(jobs) => inner.carry_out(&key, jobs).await,
        }
    }
    running.is_done = true;
}

impl Inner {
    /// Carries out a batch, and answers each of its jobs.
    async fn carry_out(&self, key: &SessionKey, jobs: Vec<Job>) {
        self.counts.combined.add(jobs.len() - 1);
        let wishes: Vec<_> = jobs.iter().map(Job::wish).collect();
        let written = self.write_batch(key, &wishes, By::Task).await;
        match written.and_then(|done| done.ok_or_else(lost)) {
            Ok(mut done) => {
                for (index, job) in jobs.into_iter().enumerate() {
                    let wanted = self.replicas(job.options.durability);
                    job.answer(done.answer(index, wanted));
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

    /// Answers `None`, and did nothing, where it takes more than `by` may do.
    async fn write_batch(
        &self,
        key: &SessionKey,
        wishes: &[Wish<'_>],
        by: By,
    ) -> Result<Option<Done>, Error> {
        let deadline = wishes.iter().map(|wish| wish.deadline).min().unwrap_or_else(Instant::now);
        let durability = || wishes.iter().map(|wish| self.replicas(wish.options.durability));
        let (wanted, needed) = (durability().max().unwrap_or(0), durability().min().unwrap_or(0));
        let copies = Copies { wanted, needed };
        let (mut seen, mut is_listed) = (self.lately(key), false);
        loop {
            let Seen { held, is_current } = self.see(key, seen.take(), deadline).await?;
            let now = self.now();
            let Merged { next, refusals } = merge(&held.record, wishes, now);
            let (loaded, written) = match next {
                Some(next) if !slides(&held.record, &next) => {
                    let sealed = self.versions.seal(&next, self.settings.max_bytes)?;
                    let written = self.replace(key, &held, &sealed, copies, deadline).await?;
                    (sealed.loaded, written)
                }
                Some(_) if by == By::Caller => return Ok(None),
                Some(next) => {
                    let sealed = self.versions.seal(&next, self.settings.max_bytes)?;
                    let (slid, written) = tokio::join!(
                        Box::pin(self.slide(key, &held.record, &next, now, deadline)),
                        self.replace(key, &held, &sealed, copies, deadline)
                    );
                    let written = written?;
                    if let Written::Done(_) = written {
                        slid?;
                    }
                    (sealed.loaded, written)
                }
                None if !is_current => continue,
                None if wishes.iter().any(|wish| wish.options.retry) && !is_listed => {
                    // The first attempt may have come to the session and not to its user's list.
                    Box::pin(self.list(key, &held.record, now, deadline)).await?;
                    (is_listed, seen) = (true, Some(Seen { held, is_current }));
                    continue;
                }
                None if wanted == 0 || refusals.len() == wishes.len() => {
                    return Ok(Some(Done { loaded: held, refusals, replicas: usize::MAX }));
                }
                // What was asked for was done before: only the replicas are left to be waited for.
                None => {
                    let written = self.touch(key, &held, wanted, deadline).await?;
                    (held, written)
                }
            };
            match written {
                Written::Done(replicas) => return Ok(Some(Done { loaded, refusals, replicas })),
                Written::Instead(found) => {
                    self.counts.races.add(wishes.len());
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
        if slides(before, after) { self.list(key, after, now, deadline).await } else { Ok(()) }
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
        after_write(self.users.slide(user, entry, listed_until(era), now, Terms::write(deadline))).await
    }
}

/// Whether the list of the user must hear of a later deadline.
fn slides(before: &Record, after: &Record) -> bool {
    let Some(era) = after.era().filter(|era| era.user().is_some()) else { return false };
    before.era().is_none_or(|before| listed_until(era) > listed_until(before))
}

fn merge(held: &Arc<Record>, wishes: &[Wish<'_>], now: Timestamp) -> Merged {
    let mut next: Option<Arc<Record>> = None;
    let mut refusals = Vec::new();
    for (index, wish) in wishes.iter().enumerate() {
        let record = next.as_ref().unwrap_or(held);
        match record.commit(wish.changes, &wish.options.rules(now)) {
            Ok(Some(record)) => next = Some(Arc::new(record)),
            Ok(None) => {}
            Err(error) => refusals.push((index, error)),
        }
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
