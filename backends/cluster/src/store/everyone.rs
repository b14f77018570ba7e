//! What concerns many sessions: those of a user, and all.

use std::time::{Duration, Instant as Moment};

use abide_core::users::Entry;
use abide_core::{
    EndOutcome, EndReason, EndUserOptions, Era, Error, Page, SessionKey, Timestamp, UserPage, UserSession,
};
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::asking::{in_doubt, unexpected};
use super::handle::ClusterStore;
use crate::protocol::{Answer, Request, Whose};

/// How many sessions are looked at or ended at once.
const AT_ONCE: usize = 64;
/// No clock's cheap reading lags by more; past that it was set back, and nobody waits for it to come again.
const LONGEST_TICK: Duration = Duration::from_millis(20);

impl ClusterStore {
    /// A page of a user's live sessions, in the order of their keys.
    pub(super) async fn page_of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        let mut keys = self.user_list(user, self.until()).await?.sessions();
        keys.retain(|key| page.after.is_none_or(|after| *key > after));
        let (limit, mut left) = (page.limit.max(1), &keys[..]);
        // Sessions that are over leave gaps; a page without any must not look like the last.
        while !left.is_empty() {
            let (these, more) = left.split_at(limit.min(left.len()));
            left = more;
            let looks = stream::iter(these.iter().copied()).map(|key| self.user_session(key, user));
            let found: Vec<Option<UserSession>> = looks.buffered(AT_ONCE).try_collect().await?;
            let sessions: Vec<UserSession> = found.into_iter().flatten().collect();
            if !sessions.is_empty() {
                let next = these.last().copied().filter(|_| !left.is_empty());
                return Ok(UserPage::new(sessions, next));
            }
        }
        Ok(UserPage::default())
    }

    async fn user_session(&self, key: SessionKey, user: &str) -> Result<Option<UserSession>, Error> {
        let live = self.loaded(&key, self.until()).await?;
        let is_theirs = |era: &Era| era.user().is_some_and(|of| **of == *user);
        Ok(live
            .filter(|live| live.record.era().is_some_and(is_theirs))
            .and_then(|live| UserSession::of(key, &live.record)))
    }

    /// Ends the sessions of a user, and answers how many live ones there were.
    pub(super) async fn end_of_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        let barrier = self.time().wall();
        let mut entries = self.raise(user, barrier, self.until()).await?;
        entries.retain(|entry| Some(entry.key) != options.except);
        let mut keys: Vec<SessionKey> = entries.iter().map(|entry| entry.key).collect();
        keys.dedup();
        let whose = Whose { user: user.into(), login: None };
        let ends =
            stream::iter(keys).map(|key| self.end_of(key, whose.clone(), options.reason, self.until()));
        let ended: Vec<bool> = ends.buffer_unordered(AT_ONCE).try_collect().await.map_err(in_doubt)?;
        self.leave_list(user, &entries, self.until()).await;
        self.come_to(barrier).await;
        Ok(count(&ended))
    }

    /// Ends every session, and answers how many live ones there were.
    pub(super) async fn end_everything(&self, reason: EndReason) -> Result<u64, Error> {
        let (mut live, mut from) = (0, Some(0));
        while let Some(first) = from {
            let asked = self.ask(Request::Sessions { from: first }, false, self.until()).await;
            let (keys, next) = match asked {
                Ok(Answer::Sessions { keys, next }) => (keys, next),
                Ok(other) => return Err(unexpected(&other)),
                Err(error) if first == 0 => return Err(error),
                Err(error) => return Err(in_doubt(error)),
            };
            let ends = stream::iter(keys).map(|key| async move {
                self.end_session(&key, reason).await.map(|outcome| outcome.was_live)
            });
            let ended: Vec<bool> = ends.buffer_unordered(AT_ONCE).try_collect().await.map_err(in_doubt)?;
            live += count(&ended);
            from = next;
        }
        Ok(live)
    }

    /// Ends a session, and has the list of its user forget it.
    pub(super) async fn end_session(&self, key: &SessionKey, reason: EndReason) -> Result<EndOutcome, Error> {
        let until = self.until();
        let known = self.recent().get(key);
        let look = async {
            match known {
                Some(record) => Some(record),
                // Who it was is told by a copy of it as it is now, or by none: a hint too many does no harm.
                None => self.loaded(key, until).await.ok().flatten().map(|loaded| loaded.record),
            }
        };
        let end = Request::End { key: *key, reason };
        let (record, answer) = tokio::join!(look, self.settled(end.clone(), end, until));
        let outcome = match answer? {
            Answer::Ended(outcome) => outcome,
            other => return Err(unexpected(&other)),
        };
        let whose = record.as_deref().and_then(|record| {
            let user = record.era().and_then(Era::user)?.clone();
            Some((user, Entry::of(key, record)?))
        });
        if let Some((user, entry)) = whose {
            self.leave_list(&user, &[entry], until).await;
        }
        Ok(outcome)
    }

    /// Waits until the clock's cheap reading has come to `barrier`, which is a moment away: a login that begins after
    /// the answer must not be taken for one that began before the question.
    async fn come_to(&self, barrier: Timestamp) {
        let since = Moment::now();
        while self.time().recent() < barrier && since.elapsed() < LONGEST_TICK {
            tokio::task::yield_now().await;
        }
    }
}

fn count(ended: &[bool]) -> u64 {
    ended.iter().filter(|ended| **ended).count() as u64
}
