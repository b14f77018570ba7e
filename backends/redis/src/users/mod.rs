//! Which sessions a user has, and since when logins count: a sorted set for each user, scored by deadline.
//!
//! **Invariant.** A live session with a user is in that user's list, under its deadline or a later one
//! ([`listed_until`]). The entry is written before the record shows the user, and again with a slide beyond that; it is swept
//! only a while after its deadline, and never because the session was not found yet.
//!
//! **Invariant.** No login escapes "end all of a user". That raises the barrier first, then ends whom it finds in the
//! list. A login asks for the barrier before its commit and once more after it: it is refused, or found in the list, or
//! ends itself.
//!
//! The list is a hint to where sessions are: whoever reads it looks at each session. In a Cluster it lives on another
//! server than the sessions, so nothing is one step with them.
//!
//! | file | role |
//! |---|---|
//! | `mod` | the operations on a list |
//! | `entry` | what is in one |

mod entry;

use std::time::Duration;

use abide_core::{Era, Error, SessionKey, Timestamp};
use redis::{Pipeline, Value};

pub(crate) use entry::Entry;
use entry::{BARRIER_STANDS, KINDS, bare, entries};

use crate::connect::{Script, Servers, Terms};
use crate::keys::Keys;
use crate::reply::unexpected;
use crate::scripts::{ENTER, RAISE, SETTLE, SLIDE};

#[derive(Debug)]
pub(crate) struct Users {
    servers: Servers,
    keys: Keys,
    /// How long an entry outlives its deadline.
    linger: Duration,
}

/// A login as its request knows it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Login<'a> {
    pub(crate) user: &'a str,
    pub(crate) entry: Entry,
    /// Until when its session is listed.
    pub(crate) deadline: Timestamp,
    /// When the request began; `None` where the session was this user's before: then no barrier is in its way.
    pub(crate) began: Option<Timestamp>,
}

/// What came of entering a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Entered {
    Yes,
    /// All of the user's sessions were ended since the request began.
    Refused,
    /// Later logins took its place.
    Outnumbered,
}

/// What came of settling one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    /// These are too many now.
    Yes(Vec<Entry>),
    /// All of the user's sessions were ended since the request began.
    Refused,
}

impl Users {
    pub(crate) fn new(servers: Servers, keys: Keys, linger: Duration) -> Self {
        Self { servers, keys, linger }
    }

    /// Enters a login, before its session shows it.
    pub(crate) async fn enter(
        &self,
        login: &Login<'_>,
        now: Timestamp,
        terms: Terms,
    ) -> Result<Entered, Error> {
        let arguments: [&[u8]; 5] = [
            &login.entry.bytes(),
            &number(login.deadline),
            &began(login),
            &number(now.before(self.linger)),
            &self.life(login.deadline, now),
        ];
        match self.invoke(login.user, &ENTER, &arguments, terms).await? {
            Value::Int(0) => Ok(Entered::Refused),
            Value::Int(1) => Ok(Entered::Yes),
            Value::Int(2) => Ok(Entered::Outnumbered),
            other => Err(unexpected(&other)),
        }
    }

    /// Settles a login, once its session shows it. With a limit, answers those that are too many.
    pub(crate) async fn settle(
        &self,
        login: &Login<'_>,
        limit: usize,
        now: Timestamp,
        terms: Terms,
    ) -> Result<Settled, Error> {
        let limit = limit.to_string();
        let arguments: [&[u8]; 6] = [
            &login.entry.bytes(),
            &number(login.deadline),
            &began(login),
            &number(now),
            limit.as_bytes(),
            &self.life(login.deadline, now),
        ];
        match self.invoke(login.user, &SETTLE, &arguments, terms).await? {
            Value::Int(0) => Ok(Settled::Refused),
            Value::Array(outnumbered) => Ok(Settled::Yes(bare(outnumbered))),
            other => Err(unexpected(&other)),
        }
    }

    /// Moves the deadline of a session that is in the list.
    pub(crate) async fn slide(
        &self,
        user: &str,
        entry: Entry,
        deadline: Timestamp,
        now: Timestamp,
        terms: Terms,
    ) -> Result<(), Error> {
        let arguments: [&[u8]; 3] = [&entry.bytes(), &number(deadline), &self.life(deadline, now)];
        match self.invoke(user, &SLIDE, &arguments, terms).await? {
            Value::Int(1) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    /// Drops entries, whose sessions are over or another's.
    pub(crate) async fn leave(&self, user: &str, gone: &[Entry], terms: Terms) -> Result<(), Error> {
        let members = gone.iter().flat_map(|entry| KINDS.map(|kind| entry.member(kind)));
        self.remove(user, members.collect(), terms).await
    }

    /// Drops a login that did not come about.
    pub(crate) async fn withdraw(&self, user: &str, entry: Entry, terms: Terms) -> Result<(), Error> {
        self.remove(user, vec![entry.member(b'p')], terms).await
    }

    /// Raises the barrier, and answers the sessions that may be below it.
    pub(crate) async fn raise(
        &self,
        user: &str,
        barrier: Timestamp,
        terms: Terms,
    ) -> Result<Vec<Entry>, Error> {
        let stands = barrier + BARRIER_STANDS;
        let arguments: [&[u8]; 2] = [&number(stands), &self.life(stands, barrier)];
        match self.invoke(user, &RAISE, &arguments, terms).await? {
            Value::Array(members) => Ok(entries(members, &KINDS)),
            other => Err(unexpected(&other)),
        }
    }

    /// Every session that may be the user's, in the order of their keys.
    pub(crate) async fn sessions(&self, user: &str, terms: Terms) -> Result<Vec<SessionKey>, Error> {
        let members = self.members(user, &KINDS, terms).await?;
        let mut keys: Vec<_> = members.into_iter().map(|entry| entry.key).collect();
        keys.sort_unstable();
        keys.dedup();
        Ok(keys)
    }

    /// The logins that count.
    pub(crate) async fn settled(&self, user: &str, terms: Terms) -> Result<Vec<Entry>, Error> {
        self.members(user, b"s", terms).await
    }

    async fn members(&self, user: &str, kinds: &[u8], terms: Terms) -> Result<Vec<Entry>, Error> {
        let name = self.keys.user(user);
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.cmd("ZRANGE").arg(&name).arg(0).arg(-1);
        match self.run(&name, &pipeline, terms).await? {
            Value::Array(members) => Ok(entries(members, kinds)),
            other => Err(unexpected(&other)),
        }
    }

    async fn remove(&self, user: &str, members: Vec<Vec<u8>>, terms: Terms) -> Result<(), Error> {
        if members.is_empty() {
            return Ok(());
        }
        let name = self.keys.user(user);
        let mut pipeline = Pipeline::with_capacity(1);
        pipeline.cmd("ZREM").arg(&name).arg(members);
        match self.run(&name, &pipeline, terms).await? {
            Value::Int(_) => Ok(()),
            other => Err(unexpected(&other)),
        }
    }

    async fn run(&self, name: &[u8], pipeline: &Pipeline, terms: Terms) -> Result<Value, Error> {
        Ok(self.servers.run(name, pipeline, terms).await?.pop().unwrap_or(Value::Nil))
    }

    async fn invoke(
        &self,
        user: &str,
        script: &Script,
        arguments: &[&[u8]],
        terms: Terms,
    ) -> Result<Value, Error> {
        self.servers.invoke(&self.keys.user(user), script, arguments, terms).await
    }

    /// How long the list must live for an entry of this deadline.
    fn life(&self, deadline: Timestamp, now: Timestamp) -> Vec<u8> {
        millis(deadline.since(now) + self.linger)
    }
}

/// The deadline under which an era is listed: its own, moved up to a multiple of a tenth of the idle timeout, so that of
/// many slides few move it. Never past the hard deadline.
pub(crate) fn listed_until(era: &Era) -> Timestamp {
    let step = u64::try_from(era.idle_timeout().as_millis() / 10).unwrap_or(u64::MAX).max(1);
    let until = era.deadline().as_millis().div_ceil(step).saturating_mul(step);
    Timestamp::from_millis(until).min(era.hard_deadline()).max(era.deadline())
}

fn began(login: &Login<'_>) -> Vec<u8> {
    number(login.began.unwrap_or(Timestamp::MAX))
}

fn number(at: Timestamp) -> Vec<u8> {
    at.as_millis().to_string().into_bytes()
}

/// A life as the server takes it: at least one millisecond.
pub(crate) fn millis(life: Duration) -> Vec<u8> {
    u64::try_from(life.as_millis()).unwrap_or(u64::MAX).clamp(1, 1 << 48).to_string().into_bytes()
}
