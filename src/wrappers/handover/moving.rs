//! How sessions leave this process, and how they come into it.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use abide_core::{
    Changes, CommitOptions, CreateOptions, Drained, EndReason, Error, ErrorKind, LoadOptions, Loaded, Record,
    SessionKey, SessionStore as _,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout_at};

use super::Handover;
use super::envelopes::Found;
use super::places::There;
use crate::wrappers::began;

/// How many sessions are on their way at once.
const AT_ONCE: usize = 64;
/// How long to wait before an envelope is sent again.
const AGAIN_AFTER: Duration = Duration::from_millis(50);
/// How long a session that is made during a drain may take to its envelope.
const ONE_MAY_TAKE: Duration = Duration::from_secs(5);

/// Where a session is that the process missed.
pub(super) enum Whereabouts {
    /// In the process by now.
    Here(Loaded),
    /// In an envelope.
    There(There),
    Nowhere,
}

impl Handover {
    /// Finds a session that the process missed: waits for one that is on its way, claims one that another server
    /// handed over.
    pub(super) async fn find(&self, key: &SessionKey) -> Result<Whereabouts, Error> {
        if let Some(there) = self.0.places.settled(key).await {
            return Ok(Whereabouts::There(there));
        }
        // It may have come back meanwhile.
        if let Some(loaded) = self.0.own.load(key, &LoadOptions::default()).await? {
            return Ok(Whereabouts::Here(loaded));
        }
        let Some(found) = self.0.envelopes.find(key).await? else { return Ok(Whereabouts::Nowhere) };
        if self.is_draining() {
            let there = found.there();
            self.0.places.serve(*key, there);
            return Ok(Whereabouts::There(there));
        }
        self.claim(key, found).await
    }

    /// Takes a session in. Of several servers that try, one gets it; of several requests of one server, all.
    async fn claim(&self, key: &SessionKey, found: Found) -> Result<Whereabouts, Error> {
        let there = found.there();
        let Some(record) = self.0.envelopes.claim(found).await? else { return Ok(Whereabouts::Nowhere) };
        // A login from before an end of all of the user's sessions is refused, as if it had been here.
        let options = CreateOptions::default().began(began(&record));
        let entered = self.0.own.create(key, record, &options).await;
        match entered {
            Ok(loaded) => {
                self.0.envelopes.discard(&there.envelope).await;
                Ok(Whereabouts::Here(loaded))
            }
            Err(error) if is_refused(error.kind()) => {
                self.0.envelopes.discard(&there.envelope).await;
                Ok(Whereabouts::Nowhere)
            }
            // It stays claimed by this process, which may try again.
            Err(error) => Err(error),
        }
    }

    /// Does what only a store in the process can: an identity is judged beside the other sessions of its user. Those
    /// that were handed over come back for that long, `key` among them.
    pub(super) async fn at_home(
        &self,
        key: SessionKey,
        user: Option<&str>,
        act: impl Future<Output = Result<Loaded, Error>>,
    ) -> Result<Loaded, Error> {
        let _turn = self.0.turn.lock().await;
        let mut keys = BTreeSet::from([key]);
        if let Some(user) = user {
            keys.extend(self.moved_of(user).await?.into_iter().map(|(key, _)| key));
        }
        for key in &keys {
            let (store, key) = (self.clone(), *key);
            // On a task of its own, as all that moves one.
            let back = tokio::spawn(async move { store.bring_home(key).await });
            back.await.unwrap_or_else(|error| Err(in_vain().with_source(error)))?;
        }
        let answer = act.await;
        for key in keys {
            self.hand_over_now(key).await;
        }
        Ok(self.as_stored(&key, answer?).await)
    }

    /// An answer in the version that a load would now answer.
    async fn as_stored(&self, key: &SessionKey, mut loaded: Loaded) -> Loaded {
        if let Some(there) = self.0.places.settled(key).await {
            if let Ok(Some(stored)) = self.0.envelopes.load(&there).await {
                loaded.version = stored.version;
            }
        }
        loaded
    }

    async fn bring_home(&self, key: SessionKey) -> Result<(), Error> {
        let Some(there) = self.0.places.settled(&key).await else { return Ok(()) };
        self.0.places.comes_back(key);
        match self.0.envelopes.take(&there).await {
            Ok(record) => {
                if let Some(record) = record {
                    // Whoever ended its user's sessions did not mean it, or would have ended it in its envelope.
                    let _ = self.0.own.create(&key, record, &CreateOptions::default()).await;
                    self.0.envelopes.discard(&there.envelope).await;
                }
                self.0.places.stays(&key, None);
                Ok(())
            }
            Err(error) => {
                self.0.places.arrived(key, there);
                let over = self.0.own.remembers_end(&key);
                if over { Ok(()) } else { Err(error) }
            }
        }
    }

    pub(super) async fn load_there(&self, key: &SessionKey, there: There) -> Result<Option<Loaded>, Error> {
        match self.0.envelopes.load(&there).await {
            Err(_) if self.0.own.remembers_end(key) => Ok(None),
            answer => answer,
        }
    }

    /// Commits to a session in its envelope.
    pub(super) async fn commit_there(
        &self,
        key: &SessionKey,
        there: There,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        let loaded = match self.0.envelopes.commit(&there, changes, options).await {
            // It was ended here just now.
            Err(_) if self.0.own.remembers_end(key) => return Err(ErrorKind::Ended.into()),
            answer => answer?,
        };
        if let Some(era) = loaded.record.era() {
            self.0.places.slid(key, era.deadline());
        }
        Ok(loaded)
    }

    pub(super) async fn drain_now(&self, deadline: Duration) -> Result<Drained, Error> {
        let was_draining = self.0.draining.swap(true, Ordering::AcqRel);
        let store = self.clone();
        let until = Instant::now() + deadline;
        // On a task of its own: whoever drops this future leaves no session half-way.
        let moved = tokio::spawn(async move { store.hand_all_over(until).await });
        let failure = moved.await.unwrap_or_else(|error| Some(in_vain().with_source(error)));
        let now = self.0.envelopes.now();
        let moved = self.0.places.there().iter().filter(|(_, there)| there.deadline > now).count();
        let drained = Drained::new(moved as u64, self.0.own.keys().len() as u64);
        match failure {
            Some(error) if drained.handed_over == 0 && drained.left_behind > 0 => {
                self.0.draining.store(was_draining, Ordering::Release);
                Err(error)
            }
            _ => Ok(drained),
        }
    }

    /// Hands over what is live. Answers the last failure.
    async fn hand_all_over(&self, until: Instant) -> Option<Error> {
        let (mut tasks, mut failure) = (JoinSet::new(), None);
        for key in self.0.own.keys() {
            if tasks.len() == AT_ONCE {
                note(&mut failure, tasks.join_next().await);
            }
            let store = self.clone();
            tasks.spawn(async move { store.hand_over(key, until).await });
        }
        while let Some(done) = tasks.join_next().await {
            note(&mut failure, Some(done));
        }
        failure
    }

    /// Hands over a session that was made during the drain. Where that fails it is here, and the end of the drain tries
    /// again.
    pub(super) async fn hand_over_now(&self, key: SessionKey) {
        let store = self.clone();
        let until = Instant::now() + ONE_MAY_TAKE;
        let _ = tokio::spawn(async move { store.hand_over(key, until).await }).await;
    }

    async fn hand_over(&self, key: SessionKey, until: Instant) -> Result<(), Error> {
        if Instant::now() >= until {
            return Err(in_vain());
        }
        if let Some(doubtful) = self.0.places.doubtful(&key) {
            // Of two envelopes the older one might be claimed.
            let ended = timeout_at(until, self.0.envelopes.end(&doubtful.envelope, EndReason::Expired)).await;
            ended.map_err(|elapsed| in_vain().with_source(elapsed))??;
        }
        if !self.0.places.begin(key) {
            return Ok(());
        }
        let Some(record) = self.0.own.release(&key) else {
            self.0.places.stays(&key, None);
            return Ok(());
        };
        match self.put(&key, &record, until).await {
            Ok(there) => {
                self.0.places.arrived(key, there);
                Ok(())
            }
            Err((error, perhaps)) => {
                let record = Arc::unwrap_or_clone(record);
                let options = CreateOptions::default().began(began(&record));
                // Refused where it, or its user's sessions, ended meanwhile; and where somebody took its room.
                let _ = self.0.own.create(&key, record, &options).await;
                self.0.places.stays(&key, perhaps);
                Err(error)
            }
        }
    }

    /// Makes an envelope, tried again until the time is up. A failure says whether there may be one all the same.
    async fn put(
        &self,
        key: &SessionKey,
        record: &Record,
        until: Instant,
    ) -> Result<There, (Error, Option<There>)> {
        let envelope = self.0.envelopes.new_one(key, record).map_err(|error| (error, None))?;
        let mut perhaps = None;
        loop {
            let error = match timeout_at(until, self.0.envelopes.put(&envelope)).await {
                Ok(Ok(())) => return Ok(envelope.there),
                Ok(Err(error)) => error,
                Err(elapsed) => Error::new(ErrorKind::Ambiguous, "the time was up").with_source(elapsed),
            };
            if error.kind() != ErrorKind::Unavailable {
                perhaps = Some(envelope.there);
            }
            if !error.is_transient() || Instant::now() + AGAIN_AFTER >= until {
                return Err((error, perhaps));
            }
            sleep(AGAIN_AFTER).await;
        }
    }
}

fn note(failure: &mut Option<Error>, done: Option<Result<Result<(), Error>, tokio::task::JoinError>>) {
    match done {
        Some(Ok(Err(error))) => *failure = Some(error),
        Some(Err(error)) => *failure = Some(in_vain().with_source(error)),
        Some(Ok(Ok(()))) | None => {}
    }
}

fn in_vain() -> Error {
    Error::new(ErrorKind::Unavailable, "the sessions could not be handed over in time")
}

/// Whether this server had a reason of its own not to have the session: it was ended here, or the user's were.
fn is_refused(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::Ended | ErrorKind::Superseded | ErrorKind::Exists)
}
