//! The move from one store to another, while clients go on.

use std::collections::HashSet;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Error, ErrorKind, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record, SessionKey,
    SessionStore, UserPage, Version,
};
use async_trait::async_trait;

use super::began;

/// Two stores during a move: reads the old one where the new one has nothing, and writes the new one.
///
/// A session moves when it is first asked for: it is created in the new store as it is in the old one, and then ended
/// there. From then on the new store alone counts.
///
/// | what | what it comes to |
/// |---|---|
/// | several requests, of several servers, that move a session at once | the session once, with whatever any of them wrote: a creation with the same stamp meets itself |
/// | a logout, also while the session moves | over: the new store remembers the end first, and refuses whatever was about to move |
/// | "end all of a user" | ends what is in either store. A session that was about to move is refused, for its login came before |
/// | a list of a user's sessions | moves those that are left first, so that it is one list |
/// | the old store is out of reach | sessions that moved are served; one that the new store does not know is [`Unavailable`](ErrorKind::Unavailable) |
/// | a session past its deadline in the old store | is not moved |
///
/// **How to move a service.** Every server that serves must have both stores: one that has the old one alone signs out
/// whoever moved, and one that has the new one alone knows nobody. With in-process sessions and route marks that is one
/// server at a time; with a store that servers share, all of them at once, or behind route marks. When
/// [`absolute_timeout`](crate::Config::absolute_timeout) has passed nothing is left in the old store.
///
/// **Cancellation.** Dropped half-way, a session is in both stores; the new one counts, and the old copy is ended when it
/// is next asked for by this process, or by its logout, or expires.
///
/// ```
/// # async fn example(old: std::sync::Arc<dyn abide::core::SessionStore>, new: std::sync::Arc<dyn abide::core::SessionStore>) {
/// use abide::wrappers::Migrating;
///
/// let store = Migrating::new(old, new);
/// # let _ = store;
/// # }
/// ```
pub struct Migrating {
    old: Arc<dyn SessionStore>,
    new: Arc<dyn SessionStore>,
    /// Sessions that moved, and whose old copy could not be ended yet.
    copies: Mutex<HashSet<SessionKey>>,
    any_copies: AtomicBool,
}

impl Migrating {
    /// From `old` to `new`.
    #[must_use]
    pub fn new(old: Arc<dyn SessionStore>, new: Arc<dyn SessionStore>) -> Self {
        Self { old, new, copies: Mutex::default(), any_copies: AtomicBool::new(false) }
    }

    /// Moves a session where the old store has it, and answers it as it then is in the new one.
    async fn bring(&self, key: &SessionKey) -> Result<Option<Loaded>, Error> {
        let Some(found) = self.old.load(key, &LoadOptions::default().fresh(true)).await? else {
            // Another request may have moved it between the two looks.
            return self.new.load(key, &LoadOptions::default().fresh(true)).await;
        };
        // An end of all of its user's sessions that came after its login is about this one too.
        let options = CreateOptions::default().began(began(&found.record));
        let moved = match self.new.create(key, Record::clone(&found.record), &options).await {
            Ok(loaded) => Some(loaded),
            Err(error) if matches!(error.kind(), ErrorKind::Ended | ErrorKind::Superseded) => None,
            Err(error) => return Err(error),
        };
        self.end_copy(key).await;
        Ok(moved)
    }

    /// Ends the copy that a move left behind; where that fails, it is tried again when the session is next loaded.
    async fn end_copy(&self, key: &SessionKey) {
        let ended = self.old.end(key, EndReason::Other(MOVED), &EndOptions::default()).await;
        let mut copies = self.copies.lock().unwrap_or_else(PoisonError::into_inner);
        match ended {
            Ok(_) => copies.remove(key),
            Err(_) => copies.insert(*key),
        };
        self.any_copies.store(!copies.is_empty(), Ordering::Release);
    }

    async fn end_copy_left(&self, key: &SessionKey) {
        let left = self.any_copies.load(Ordering::Acquire)
            && self.copies.lock().unwrap_or_else(PoisonError::into_inner).contains(key);
        if left {
            self.end_copy(key).await;
        }
    }

    /// Moves what a user has in the old store.
    async fn bring_all_of(&self, user: &str) -> Result<(), Error> {
        let mut page = Page::default();
        loop {
            let found = self.old.of_user(user, &page).await?;
            for session in &found.sessions {
                self.bring(&session.key).await?;
            }
            match found.next {
                Some(last) => page = page.after(Some(last)),
                None => return Ok(()),
            }
        }
    }
}

/// Why the copy in the old store ended.
const MOVED: u8 = 64;

impl fmt::Debug for Migrating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Migrating").field("old", &self.old).field("new", &self.new).finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SessionStore for Migrating {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        // A limit counts what a user has in both.
        if let (Some(user), Some(_)) = (record.era().and_then(|era| era.user()), options.user_limit) {
            self.bring_all_of(user).await?;
        }
        self.new.create(key, record, options).await
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        match self.new.load(key, options).await? {
            Some(loaded) => {
                self.end_copy_left(key).await;
                Ok(Some(loaded))
            }
            None => self.bring(key).await,
        }
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        match self.new.peek(key) {
            Peek::Absent => match self.old.peek(key) {
                // It may have moved between the two looks.
                Peek::Absent => self.new.peek(key),
                _ => Peek::Ask,
            },
            known => known,
        }
    }

    async fn commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        if let (Some(user), Some(_)) = (changes.new_era().and_then(|new| new.who()), options.user_limit) {
            self.bring_all_of(user).await?;
        }
        match self.new.commit(key, version, changes, options).await {
            Err(error) if error.kind() == ErrorKind::Missing => match self.bring(key).await? {
                Some(moved) => self.new.commit(key, moved.version, changes, options).await,
                None => Err(error),
            },
            answer => answer,
        }
    }

    fn try_commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        let limited = changes.new_era().is_some() && options.user_limit.is_some();
        if limited {
            return None;
        }
        let answer = self.new.try_commit(key, version, changes, options)?;
        (!matches!(&answer, Err(error) if error.kind() == ErrorKind::Missing)).then_some(answer)
    }

    async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        // The new one first: it remembers the end also of a session that is only about to come.
        let mut outcome = self.new.end(key, reason, options).await?;
        let old = self.old.end(key, reason, options).await?;
        outcome.was_live |= old.was_live;
        Ok(outcome)
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        self.bring_all_of(user).await?;
        self.new.of_user(user, page).await
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        // The session that is spared must be where the end is remembered before that is.
        if let Some(spared) = &options.except {
            if self.new.load(spared, &LoadOptions::default()).await?.is_none() {
                self.bring(spared).await?;
            }
        }
        let ended = self.new.end_user(user, options).await?;
        Ok(ended + self.old.end_user(user, options).await?)
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        let ended = self.new.end_all(reason).await?;
        Ok(ended + self.old.end_all(reason).await?)
    }

    async fn ready(&self) -> Readiness {
        match self.new.ready().await {
            Readiness::Ready => match self.old.ready().await {
                Readiness::NotReady(why) => Readiness::NotReady(format!("the store before: {why}").into()),
                ready => ready,
            },
            not => not,
        }
    }

    fn capabilities(&self) -> Capabilities {
        let (old, new) = (self.old.capabilities(), self.new.capabilities());
        Capabilities::none()
            .shared(new.shared && old.shared)
            .durable(new.durable && old.durable)
            .peeks(new.peeks && old.peeks)
            .drains_while_serving(new.drains_while_serving && old.drains_while_serving)
    }

    /// Drains both: what did not move yet is the old one's to keep.
    async fn drain(&self, deadline: Duration) -> Result<Drained, Error> {
        let since = tokio::time::Instant::now();
        let new = self.new.drain(deadline).await?;
        let old = self.old.drain(deadline.saturating_sub(since.elapsed())).await?;
        Ok(Drained::new(new.handed_over + old.handed_over, new.left_behind + old.left_behind))
    }

    fn metrics(&self) -> Vec<Metric> {
        self.new.metrics()
    }
}
