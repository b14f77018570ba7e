//! What a store is made of, and the operations on one session in the server.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant as Moment};

use abide_core::{Clock, Durability, EndReason, Error, ErrorKind, Loaded, Record, SessionKey, Timestamp};
use redis::{Cmd, Value};
use tokio::time::Instant;

use crate::combine::Combiner;
use crate::connect::{Acknowledged, Script, Servers, Terms};
use crate::counts::Counts;
use crate::ended::{End, Ended, REMEMBERED};
use crate::envelope::{Sealed, Versions, stamp_of};
use crate::keys::Keys;
use crate::near::{Answered, NearCache};
use crate::recent::Recent;
use crate::reply::{Found, Written, unexpected};
use crate::scripts::{CREATE, END, END_AGAIN, REPLACE, TOUCH, Write};
use crate::users::{Users, millis};

/// A creation may be sent twice and arrive late: until then a session that expired is remembered.
const CREATION_REMEMBERED: Duration = Duration::from_secs(600);

/// What a store is built with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// How many replicas a write waits for unless it says otherwise.
    pub(crate) replicas: usize,
    /// The largest encoded record.
    pub(crate) max_bytes: usize,
    /// How long one operation may take.
    pub(crate) timeout: Duration,
    /// How long the server keeps what is past its deadline.
    pub(crate) linger: Duration,
}

#[derive(Debug)]
pub(crate) struct Inner {
    pub(crate) servers: Servers,
    pub(crate) keys: Keys,
    pub(crate) settings: Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) versions: Versions,
    pub(crate) recent: Recent,
    pub(crate) ended: Arc<Ended>,
    pub(crate) users: Users,
    pub(crate) combiner: Combiner,
    pub(crate) counts: Counts,
    /// What reads are answered from without a trip, where it is on.
    pub(crate) near: Option<Arc<NearCache>>,
}

/// The reply of a script, and the near-cache's share in it: what is not kept there is forgotten.
struct Sent<'a> {
    done: Acknowledged,
    writing: Option<Answered<'a>>,
}

/// How many replicas are to have a write.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Copies {
    /// It is waited for so many.
    pub(crate) wanted: usize,
    /// Without so many connected it is not sent.
    pub(crate) needed: usize,
}

impl Copies {
    /// So many, or nothing.
    pub(crate) fn all(wanted: usize) -> Self {
        Self { wanted, needed: wanted }
    }

    /// So many, or as many as there are.
    fn at_best(wanted: usize) -> Self {
        Self { wanted, needed: 0 }
    }
}

/// What an end came to.
#[derive(Debug)]
pub(crate) struct Gone {
    /// What was there before.
    pub(crate) found: Found,
    /// Whether fewer replicas have it than it waited for.
    pub(crate) fell_short: bool,
}

impl Inner {
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.recent()
    }

    pub(crate) fn deadline(&self) -> Instant {
        Instant::now() + self.settings.timeout
    }

    /// How many replicas are to have a write before it is answered.
    pub(crate) fn replicas(&self, durability: Durability) -> usize {
        match durability {
            Durability::Async => 0,
            Durability::Replicas(count) => count.into(),
            _ => self.settings.replicas,
        }
    }

    /// How long the server must keep a record.
    fn life(&self, record: &Record, now: Timestamp) -> Vec<u8> {
        let deadline = record.era().map_or(now, |era| era.deadline());
        let creation = record.created().at() + CREATION_REMEMBERED;
        millis((deadline.since(now) + self.settings.linger).max(creation.since(now)))
    }

    /// The session as the near-cache has it, where that is on and has it live.
    pub(crate) fn near(&self, key: &SessionKey) -> Option<Loaded> {
        let near = self.near.as_ref()?.get(key, Moment::now())?;
        // Past its deadline as it was: another process may have moved that since.
        Some(near).filter(|loaded| loaded.record.over(self.now()).is_none())
    }

    /// The script of a write: one that ends in a read where the near-cache keeps what is written.
    fn writing(&self, write: &'static Write) -> &'static Script {
        write.script(self.near.is_some())
    }

    /// Looks at a session.
    pub(crate) async fn look(&self, key: &SessionKey, deadline: Instant) -> Result<Found, Error> {
        self.counts.looks.add(1);
        let name = self.keys.session(key);
        let get = || {
            let mut command = Cmd::with_capacity(2, 3 + name.len());
            command.arg("GET").arg(&name);
            command
        };
        let mark = self.near.as_ref().map(|near| near.mark(key));
        let done = self.servers.ask_and_wait(&name, get, 0, Terms::read(deadline)).await?;
        let over = done.over;
        let found = Found::of(first(done))?;
        match &found {
            Found::Held(loaded) => {
                self.recent.put(key, loaded);
                if let (Some(near), Some(mark), Some(over)) = (&self.near, mark, over) {
                    near.put(key, loaded, mark, over);
                }
            }
            Found::Missing | Found::Over => self.recent.forget(key),
        }
        Ok(found)
    }

    /// Stores a record where nothing is.
    pub(crate) async fn create(
        &self,
        key: &SessionKey,
        sealed: &Sealed,
        replicas: usize,
        deadline: Instant,
    ) -> Result<Written, Error> {
        let life = self.life(&sealed.loaded.record, self.now());
        let script = self.writing(&CREATE);
        let sent = self.script(key, script, &[&sealed.bytes, &life], Copies::all(replicas), deadline).await?;
        self.written(key, Some(sealed), sent)
    }

    /// Stores a record in place of the one of that version.
    pub(crate) async fn replace(
        &self,
        key: &SessionKey,
        seen: &Loaded,
        sealed: &Sealed,
        copies: Copies,
        deadline: Instant,
    ) -> Result<Written, Error> {
        let life = self.life(&sealed.loaded.record, self.now());
        let seen = stamp_of(seen.version);
        let script = self.writing(&REPLACE);
        let sent = self.script(key, script, &[&seen, &sealed.bytes, &life], copies, deadline).await?;
        self.written(key, Some(sealed), sent)
    }

    /// Waits for replicas to have the record of that version, whoever wrote it.
    pub(crate) async fn touch(
        &self,
        key: &SessionKey,
        seen: &Loaded,
        replicas: usize,
        deadline: Instant,
    ) -> Result<Written, Error> {
        let life = self.life(&seen.record, self.now());
        // It was done before: that nobody is there to copy it makes it no less so.
        let copies = Copies::at_best(replicas);
        let sent = self.script(key, &TOUCH, &[&stamp_of(seen.version), &life], copies, deadline).await?;
        self.written(key, None, sent)
    }

    /// Ends a session, whatever is there.
    pub(crate) async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        replicas: usize,
        deadline: Instant,
    ) -> Result<Gone, Error> {
        let changes = self.servers.masters_changed();
        let (before, at) = (*changes.borrow(), self.now());
        let tombstone = self.versions.tombstone(at, reason)?;
        let copies = Copies::at_best(replicas);
        let done = self.script(key, &END, &[&tombstone, &millis(REMEMBERED)], copies, deadline).await;
        if done.as_ref().is_err_and(|error| error.kind() == ErrorKind::Ambiguous) {
            self.ended.doubt(key, at, reason);
        }
        let Sent { done, .. } = done?;
        let fell_short = done.replicas < replicas;
        let found = match first(done) {
            // Whatever it was, it is over now.
            reply @ (Value::Nil | Value::BulkString(_)) => Found::of(reply).unwrap_or(Found::Over),
            other => return Err(unexpected(&other)),
        };
        self.counts.ends_fell_short.add(usize::from(fell_short));
        let end = self.remember_end(key, at, reason);
        // What was told to a master that is none any more may be lost, and whoever writes all ends again may have begun.
        if *changes.borrow() != before {
            self.end_again(&end, deadline).await?;
        }
        Ok(Gone { found, fell_short })
    }

    /// Ends the session of that version.
    pub(crate) async fn end_seen(
        &self,
        key: &SessionKey,
        seen: &Loaded,
        reason: EndReason,
        deadline: Instant,
    ) -> Result<Written, Error> {
        let changes = self.servers.masters_changed();
        let (before, at) = (*changes.borrow(), self.now());
        let tombstone = self.versions.tombstone(at, reason)?;
        let arguments: [&[u8]; 3] = [&stamp_of(seen.version), &tombstone, &millis(REMEMBERED)];
        let copies = Copies::at_best(self.settings.replicas.max(self.at_hand(key)));
        // Nobody keeps a tombstone.
        let script = REPLACE.script(false);
        let written =
            Written::of_acknowledged(self.script(key, script, &arguments, copies, deadline).await?.done)?;
        if let Written::Done(_) = written {
            let end = self.remember_end(key, at, reason);
            if *changes.borrow() != before {
                self.end_again(&end, deadline).await?;
            }
        }
        Ok(written)
    }

    /// Writes a tombstone again.
    pub(crate) async fn end_again(&self, end: &End, deadline: Instant) -> Result<(), Error> {
        let tombstone = self.versions.tombstone(end.at, end.reason)?;
        let arguments: [&[u8]; 2] = [&tombstone, &millis(end.life())];
        match first(self.script(&end.key, &END_AGAIN, &arguments, Copies::at_best(0), deadline).await?.done) {
            Value::Int(_) => {
                self.ended.confirm(end);
                self.counts.ends_written_again.add(1);
                Ok(())
            }
            other => Err(unexpected(&other)),
        }
    }

    /// One where a replica is connected: what an end waits for without being asked.
    pub(crate) fn at_hand(&self, key: &SessionKey) -> usize {
        self.servers.replicas(&self.keys.session(key)).unwrap_or(0).min(1)
    }

    fn remember_end(&self, key: &SessionKey, at: Timestamp, reason: EndReason) -> End {
        self.recent.forget(key);
        self.ended.remember(key, at, reason)
    }

    async fn script(
        &self,
        key: &SessionKey,
        script: &Script,
        arguments: &[&[u8]],
        copies: Copies,
        deadline: Instant,
    ) -> Result<Sent<'_>, Error> {
        let (name, terms) = (self.keys.session(key), Terms::write(deadline).needs(copies.needed));
        let writing = self.near.as_ref().map(|near| near.writing(key));
        let done = self.servers.invoke_and_wait(&name, script, arguments, copies.wanted, terms).await?;
        // Over another connection than the one that tracks it is not known to be told of the next change.
        let writing = writing.zip(done.over).map(|(writing, over)| writing.answered(over));
        Ok(Sent { done, writing })
    }

    /// Reads what a write came to, and keeps what is known of the record now.
    fn written(&self, key: &SessionKey, sealed: Option<&Sealed>, sent: Sent<'_>) -> Result<Written, Error> {
        let written = Written::of_acknowledged(sent.done)?;
        let known = match (&written, sealed) {
            (Written::Done(_), Some(sealed)) => Some(&sealed.loaded),
            (Written::Done(_), None) => return Ok(written),
            (Written::Instead(Found::Held(loaded)), _) => Some(loaded),
            (Written::Instead(_), _) => None,
        };
        match known {
            Some(loaded) => {
                self.recent.put(key, loaded);
                if let Some(writing) = sent.writing {
                    writing.stored(loaded);
                }
            }
            None => self.recent.forget(key),
        }
        Ok(written)
    }
}

impl Written {
    fn of_acknowledged(done: Acknowledged) -> Result<Self, Error> {
        let replicas = done.replicas;
        Self::of(first(done), replicas)
    }
}

fn first(mut done: Acknowledged) -> Value {
    if done.values.is_empty() { Value::Nil } else { done.values.swap_remove(0) }
}

/// The error of what came after a write that was done: the whole may be asked for again.
pub(crate) async fn after_write<T>(step: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    step.await.map_err(|error| match error.kind() {
        ErrorKind::Unavailable | ErrorKind::Full => {
            Error::new(ErrorKind::Ambiguous, "a later step of the operation failed").with_source(error)
        }
        _ => error,
    })
}
