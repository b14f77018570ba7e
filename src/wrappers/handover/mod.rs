//! Sessions in this process that go on at another server once this one ends.

mod envelopes;
mod moving;
mod places;

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use abide_core::{
    Capabilities, Changes, Clock, CommitOptions, CreateOptions, Drained, EndOptions, EndOutcome, EndReason,
    EndUserOptions, Entropy, Error, ErrorKind, LoadOptions, Loaded, Metric, Page, Peek, Readiness, Record,
    SessionKey, SessionStore, SystemClock, SystemEntropy, UserPage, UserSession, Version,
};
use abide_memory::MemoryStore;
use async_trait::async_trait;
use tokio::sync::Mutex;

use envelopes::Envelopes;
use moving::Whereabouts;
use places::Places;

/// A store in the process whose sessions go on at another server when this one is drained: through a second store that
/// the servers share, of any kind.
///
/// **Drain** puts each live session into an *envelope* in the shared store: a record of its own, under a key of its own,
/// that is found by a hash of the session's key. It may be called while requests are served
/// ([`drains_while_serving`](Capabilities::drains_while_serving)): what was handed over is served from its envelope from
/// then on, a new session goes into one at once, and a write that was under way waits until its session has arrived. So
/// nothing is refused and nothing lost between the old server and the next.
///
/// **A server that misses a session claims it**, once: by a compare-and-set on the envelope, so of several that claim at
/// once one wins, and whatever the old server still writes comes before the claim or is refused as
/// [`Unavailable`](ErrorKind::Unavailable). It then holds the session in its own process and ends the envelope.
///
/// | what | what it comes to |
/// |---|---|
/// | a logout, at the server that holds the session or at the one that hands it over | over; neither an envelope nor a claim brings it back |
/// | "end all of a user" | reaches the sessions of the process and those that it handed over. An envelope of another server is refused when this one claims it, for its login came before |
/// | `of_user` | lists the sessions of the process and those that it handed over |
/// | the shared store is out of reach | sessions of the process are served; one that is missed, or was handed over, is [`Unavailable`](ErrorKind::Unavailable) |
/// | a claim whose server dies before it answered | the session is lost with it, as with any crash |
/// | a drain whose time is up | what is left stays here, and is counted |
///
/// A login or renewal of a session that was handed over brings it back for that step, so that the same rules hold.
///
/// **Cost.** As long as a session is in the process: none. A token that this process does not know costs one look into
/// the shared store.
///
/// **Why an envelope**, and not the record itself under its own key: a store remembers an end for ten minutes and refuses
/// a creation meanwhile; a session that was claimed could not be handed over again by the next server of a rolling
/// restart.
///
/// Its drain spawns tasks: it needs a tokio runtime. A clone is the same store.
///
/// ```
/// # async fn example(shared: std::sync::Arc<dyn abide::core::SessionStore>) -> Result<(), abide::core::Error> {
/// use abide::core::SessionStore as _;
/// use abide::wrappers::Handover;
/// use abide_memory::MemoryStore;
/// use std::time::Duration;
///
/// let store = Handover::new(MemoryStore::new(), shared);
/// // … serve, until it is time to go:
/// let drained = store.drain(Duration::from_secs(10)).await?;
/// println!("{} sessions go on elsewhere, {} end here", drained.handed_over, drained.left_behind);
/// # Ok(()) }
/// ```
#[derive(Clone)]
pub struct Handover(Arc<Inner>);

struct Inner {
    own: MemoryStore,
    envelopes: Envelopes,
    places: Places,
    draining: AtomicBool,
    /// Held by what needs all sessions of a user to stay where they are, once some were handed over.
    turn: Mutex<()>,
}

impl Handover {
    /// The sessions of `own`, handed over through `shared`, on the system's clock.
    #[must_use]
    pub fn new(own: MemoryStore, shared: Arc<dyn SessionStore>) -> Self {
        Self::with(own, shared, Arc::new(SystemClock), Arc::new(SystemEntropy))
    }

    /// As [`new`](Self::new), with another clock, which must be that of `own`, and another random source.
    #[must_use]
    pub fn with(
        own: MemoryStore,
        shared: Arc<dyn SessionStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let envelopes = Envelopes::new(shared, clock, entropy);
        Self(Arc::new(Inner {
            own,
            envelopes,
            places: Places::default(),
            draining: AtomicBool::new(false),
            turn: Mutex::new(()),
        }))
    }

    fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// The sessions of a user that this process handed over and still answers for.
    async fn moved_of(&self, user: &str) -> Result<Vec<(SessionKey, Record)>, Error> {
        // One that is on its way is in neither list.
        self.0.places.all_settled().await;
        let mut found = Vec::new();
        for (key, there) in self.0.places.there() {
            let live = self.0.envelopes.live(&there.envelope).await?;
            let theirs =
                |record: &Record| record.era().and_then(|era| era.user()).is_some_and(|of| **of == *user);
            found.extend(live.filter(theirs).map(|record| (key, record)));
        }
        Ok(found)
    }

    async fn end_moved(&self, key: &SessionKey, reason: EndReason) -> Result<bool, Error> {
        let Some(there) = self.0.places.of(key) else { return Ok(false) };
        // Remembered here, for a creation of it that is late.
        self.0.own.end(key, reason, &EndOptions::default()).await?;
        let ended = self.0.envelopes.end(&there.envelope, reason).await?;
        self.0.places.forget(key);
        Ok(ended)
    }
}

impl fmt::Debug for Handover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Handover").field("own", &self.0.own).finish_non_exhaustive()
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl SessionStore for Handover {
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        if let Some(there) = self.0.places.settled(key).await {
            return self.0.envelopes.meet(&there, &record).await;
        }
        if !self.is_draining() {
            return self.0.own.create(key, record, options).await;
        }
        let user = record.era().and_then(|era| era.user()).filter(|_| options.user_limit.is_some()).cloned();
        self.at_home(*key, user.as_deref(), self.0.own.create(key, record, options)).await
    }

    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error> {
        if let Some(loaded) = self.0.own.load(key, options).await? {
            return Ok(Some(loaded));
        }
        match self.find(key).await? {
            Whereabouts::Here(loaded) => Ok(Some(loaded)),
            Whereabouts::There(there) => self.load_there(key, there).await,
            Whereabouts::Nowhere => Ok(None),
        }
    }

    fn peek(&self, key: &SessionKey) -> Peek {
        match self.0.own.peek(key) {
            Peek::Absent => Peek::Ask,
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
        loop {
            match self.0.own.commit(key, version, changes, options).await {
                Err(error) if error.kind() == ErrorKind::Missing => match self.find(key).await? {
                    Whereabouts::Here(_) => {}
                    Whereabouts::There(there) => match changes.new_era() {
                        None => return self.commit_there(key, there, changes, options).await,
                        Some(new) => {
                            let user = new.who().filter(|_| options.user_limit.is_some());
                            let commit = self.0.own.commit(key, version, changes, options);
                            return self.at_home(*key, user.map(|user| &**user), commit).await;
                        }
                    },
                    Whereabouts::Nowhere => return Err(error),
                },
                answer => return answer,
            }
        }
    }

    fn try_commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>> {
        let answer = self.0.own.try_commit(key, version, changes, options)?;
        // It may be elsewhere: that needs waiting.
        (!matches!(&answer, Err(error) if error.kind() == ErrorKind::Missing)).then_some(answer)
    }

    async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        options: &EndOptions,
    ) -> Result<EndOutcome, Error> {
        // First here, where the end is remembered: a claim that comes later is refused, and one on its way stays away.
        let here = self.0.own.end(key, reason, options).await?;
        self.0.places.settled(key).await;
        let moved = self.end_moved(key, reason).await?;
        let found = if here.was_live || moved { false } else { self.0.envelopes.end_of(key, reason).await? };
        Ok(EndOutcome::new(here.was_live || moved || found))
    }

    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error> {
        if self.0.places.is_empty() {
            return self.0.own.of_user(user, page).await;
        }
        let (mut sessions, mut whole) = (Vec::new(), Page::default());
        loop {
            let found = self.0.own.of_user(user, &whole).await?;
            sessions.extend(found.sessions);
            match found.next {
                Some(last) => whole = whole.after(Some(last)),
                None => break,
            }
        }
        let moved = self.moved_of(user).await?;
        sessions.extend(moved.iter().filter_map(|(key, record)| UserSession::of(*key, record)));
        Ok(page_of(sessions, page))
    }

    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error> {
        let _turn = self.0.turn.lock().await;
        let mut ended = self.0.own.end_user(user, options).await?;
        for (key, _) in self.moved_of(user).await? {
            if Some(key) != options.except {
                ended += u64::from(self.end_moved(&key, options.reason).await?);
            }
        }
        Ok(ended)
    }

    async fn end_all(&self, reason: EndReason) -> Result<u64, Error> {
        let _turn = self.0.turn.lock().await;
        let mut ended = self.0.own.end_all(reason).await?;
        self.0.places.all_settled().await;
        for (key, _) in self.0.places.there() {
            ended += u64::from(self.end_moved(&key, reason).await?);
        }
        Ok(ended)
    }

    /// Whether the process can serve: the shared store is asked only for what is missed.
    async fn ready(&self) -> Readiness {
        self.0.own.ready().await
    }

    fn capabilities(&self) -> Capabilities {
        self.0.own.capabilities().drains_while_serving(true)
    }

    /// Hands over what is live now, and from now on what is created. The answer counts what this store handed over
    /// altogether. Called again, it hands over what it left behind before.
    ///
    /// # Errors
    ///
    /// Where nothing could be handed over at all: then nothing has changed.
    async fn drain(&self, deadline: Duration) -> Result<Drained, Error> {
        self.drain_now(deadline).await
    }

    fn metrics(&self) -> Vec<Metric> {
        let mut metrics = self.0.own.metrics();
        let moved = self.0.places.there().len() as u64;
        metrics.push(Metric::gauge("handed_over", "Sessions that this process handed over", moved));
        metrics
    }
}

/// One page of all sessions of a user, which are in no order yet.
fn page_of(mut sessions: Vec<UserSession>, page: &Page) -> UserPage {
    sessions.sort_by_key(|session| session.key);
    sessions.dedup_by_key(|session| session.key);
    sessions.retain(|session| page.after.is_none_or(|after| session.key > after));
    let limit = page.limit.max(1);
    let more = sessions.len() > limit;
    sessions.truncate(limit);
    let next = sessions.last().map(|session| session.key).filter(|_| more);
    UserPage::new(sessions, next)
}
