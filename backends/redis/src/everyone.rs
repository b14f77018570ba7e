//! What concerns many sessions: those of a user, and all.

use std::time::{Duration, Instant as Moment};

use abide_core::{
    EndReason, EndUserOptions, Error, Page, Record, SessionKey, Timestamp, UserPage, UserSession,
};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use redis::{Pipeline, Value};
use tokio::time::Instant;

use crate::connect::{Master, Terms};
use crate::inner::{Inner, after_write};
use crate::reply::{Found, is_of, unexpected};
use crate::users::Entry;

/// How many sessions are looked at or ended at once.
const AT_ONCE: usize = 64;
/// About how many keys one step of a scan looks at.
const SCANNED_AT_ONCE: usize = 1_000;
/// No clock's cheap reading lags by more; past that it was set back, and nobody waits for it to come again.
const LONGEST_TICK: Duration = Duration::from_millis(20);

impl Inner {
    /// A page of a user's live sessions, in the order of their keys.
    pub(crate) async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        let deadline = self.deadline();
        let mut keys = self.users.sessions(user, Terms::read(deadline)).await?;
        keys.retain(|key| page.after.is_none_or(|after| *key > after));
        let (limit, mut sessions, mut left) = (page.limit.max(1), Vec::new(), &keys[..]);
        // Sessions that are over leave gaps; a page without any must not look like the last.
        while let Some(after) = left.get(limit.min(left.len()).wrapping_sub(1)).copied() {
            let (these, more) = left.split_at(limit.min(left.len()));
            left = more;
            let looks = stream::iter(these.iter().copied()).map(|key| self.user_session(key, user, deadline));
            let found: Vec<_> = looks.buffered(AT_ONCE).try_collect().await?;
            sessions.extend(found.into_iter().flatten());
            if !sessions.is_empty() {
                return Ok(UserPage::new(sessions, Some(after).filter(|_| !left.is_empty())));
            }
        }
        Ok(UserPage::new(sessions, None))
    }

    async fn user_session(
        &self,
        key: SessionKey,
        user: &str,
        deadline: Instant,
    ) -> Result<Option<UserSession>, Error> {
        if self.ended.contains(&key) {
            return Ok(None);
        }
        let live = self.look(&key, deadline).await?.live(self.now());
        Ok(live.filter(|held| is_of(&held.record, user)).and_then(|held| UserSession::of(key, &held.record)))
    }

    /// Ends the sessions of a user, and answers how many live ones there were.
    pub(crate) async fn end_user(
        &self,
        user: &str,
        options: &EndUserOptions,
        deadline: Instant,
    ) -> Result<u64, Error> {
        let barrier = self.clock.now();
        let mut entries = self.users.raise(user, barrier, Terms::write(deadline)).await?;
        entries.retain(|entry| Some(entry.key) != options.except);
        let mut keys: Vec<_> = entries.iter().map(|entry| entry.key).collect();
        keys.sort_unstable();
        keys.dedup();
        let ends = stream::iter(keys)
            .map(|key| async move {
                self.end_where(&key, options.reason, self.deadline(), |record| is_of(record, user)).await
            })
            .buffer_unordered(AT_ONCE);
        let ended: Vec<bool> = after_write(ends.try_collect()).await?;
        if !entries.is_empty() {
            // A hint too many in the list does no harm, so it is no error where it stays.
            let _ = self.users.leave(user, &entries, Terms::write(self.deadline())).await;
        }
        self.come_to(barrier).await;
        Ok(count(&ended))
    }

    /// Ends every session, and answers how many live ones there were.
    pub(crate) async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        let masters = self.servers.masters(Terms::read(self.deadline())).await?;
        let mut live = 0;
        for master in masters {
            let mut cursor = b"0".to_vec();
            loop {
                let (next, keys) = self.scan(&master, &cursor).await?;
                let ends = stream::iter(keys).map(|key| self.end_any(key, reason));
                let ended: Vec<bool> = after_write(ends.buffer_unordered(AT_ONCE).try_collect()).await?;
                live += count(&ended);
                cursor = next;
                if cursor == b"0" {
                    break;
                }
            }
        }
        Ok(live)
    }

    async fn end_any(&self, key: SessionKey, reason: EndReason) -> Result<bool, Error> {
        let now = self.now();
        let gone = self.end(&key, reason, self.at_hand(&key), self.deadline()).await?;
        if let Found::Held(held) = &gone.found {
            self.leave(&key, &held.record, self.deadline()).await;
        }
        Ok(gone.found.live(now).is_some())
    }

    /// Has the list of its user forget a session that is over. A hint too many does no harm, so it is no error where it
    /// stays.
    pub(crate) async fn leave(&self, key: &SessionKey, record: &Record, deadline: Instant) {
        let user = record.era().and_then(|era| era.user());
        if let (Some(user), Some(entry)) = (user, Entry::of(key, record)) {
            let _ = self.users.leave(user, &[entry], Terms::write(deadline)).await;
        }
    }

    /// One step of a scan: where the next one starts, and the sessions that were found. One may be found twice.
    async fn scan(&self, master: &Master, cursor: &[u8]) -> Result<(Vec<u8>, Vec<SessionKey>), Error> {
        let mut step = Pipeline::with_capacity(1);
        step.cmd("SCAN").arg(cursor).arg("MATCH").arg(self.keys.sessions());
        step.arg("COUNT").arg(SCANNED_AT_ONCE);
        let reply = master.run(&step, Terms::read(self.deadline())).await?.pop().unwrap_or(Value::Nil);
        let Value::Array(parts) = reply else { return Err(unexpected(&reply)) };
        let [Value::BulkString(next), Value::Array(names)] = &parts[..] else {
            return Err(unexpected(&Value::Nil));
        };
        let key = |name: &Value| match name {
            Value::BulkString(name) => self.keys.parse_session(name),
            _ => None,
        };
        Ok((next.clone(), names.iter().filter_map(key).collect()))
    }

    /// Waits until the clock's cheap reading has come to `barrier`, which is a moment away: a login that begins after
    /// the answer must not be taken for one that began before the question.
    async fn come_to(&self, barrier: Timestamp) {
        let since = Moment::now();
        while self.now() < barrier && since.elapsed() < LONGEST_TICK {
            tokio::task::yield_now().await;
        }
    }

    /// Whether every master answers.
    pub(crate) async fn ping(&self) -> Result<(), Error> {
        let terms = Terms::read(self.deadline());
        let mut ping = Pipeline::with_capacity(1);
        ping.cmd("PING");
        for master in self.servers.masters(terms).await? {
            master.run(&ping, terms).await?;
        }
        Ok(())
    }
}

fn count(ended: &[bool]) -> u64 {
    ended.iter().filter(|ended| **ended).count() as u64
}
