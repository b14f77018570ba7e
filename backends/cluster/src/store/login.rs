//! Commits that open a new era, creations, and slides: what the list of the user must know before and after.
//!
//! **Invariants.**
//! 1. A live session with a user is in that user's list, under its deadline or a later one: the entry is written before the
//!    record shows the user, and before a slide.
//! 2. No login escapes "end all of a user": it is refused by the barrier, or found in the list, or finds the barrier when it is
//!    settled, and ends itself.
//!
//! What goes wrong in between leaves an entry too many, which whoever reads the list sees through.

use std::num::NonZeroUsize;
use std::sync::Arc;

use abide_core::users::{Entry, Settled, listed_until, to_be_listed_until};
use abide_core::{
    Changes, CommitOptions, CreateOptions, EndReason, Era, Error, ErrorKind, Loaded, Record, SessionKey,
    Timestamp,
};
use futures_util::future::try_join_all;
use tokio::time::Instant;

use super::asking::{in_doubt, unexpected};
use super::handle::ClusterStore;
use super::users::refused;
use crate::protocol::{Answer, Login, Request, Whose};

/// A login and its user.
#[derive(Debug)]
struct Who {
    user: Arc<str>,
    login: Login,
}

impl ClusterStore {
    /// Stores a new session.
    pub(super) async fn create_session(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error> {
        let until = self.until();
        let who = created_by(key, &record, options.began);
        if let Some(Who { user, login }) = &who {
            self.enter(user, *login, until).await?;
        }
        let request = Request::Create { key: *key, record: Arc::new(record), options: *options };
        let stored = self.settled(request.clone(), request, until).await.and_then(stored);
        let loaded = self.withdrawn(stored, who.as_ref(), until).await?;
        self.after_login(key, None, loaded, who, options.user_limit, until).await
    }

    /// Commits changes.
    pub(super) async fn commit_changes(
        &self,
        key: &SessionKey,
        changes: Arc<Changes>,
        options: &CommitOptions,
    ) -> Result<Loaded, Error> {
        let until = self.until();
        if changes.new_era().is_some() {
            return self.open_era(key, changes, options, until).await;
        }
        let before = self.recent().get(key);
        let is_listed = match before.as_deref().and_then(|before| slid(key, before, &changes)) {
            Some(Slid::Not) => true,
            Some(Slid::To(user, entry, deadline)) => {
                self.slide(&user, entry, deadline, until).await?;
                true
            }
            None => false,
        };
        let loaded = self.committed(key, changes, options, until).await?;
        if !is_listed {
            self.list(key, &loaded.record, until).await.map_err(in_doubt)?;
        }
        self.recent().note(key, &loaded);
        Ok(loaded)
    }

    async fn committed(
        &self,
        key: &SessionKey,
        changes: Arc<Changes>,
        options: &CommitOptions,
        until: Instant,
    ) -> Result<Loaded, Error> {
        let commit = |options| Request::Commit { key: *key, changes: changes.clone(), options };
        match self.settled(commit(*options), commit(options.retry(true)), until).await {
            Err(error) if error.kind() == ErrorKind::Ambiguous && Instant::now() < until => {
                let session = self.loaded(key, until).await;
                Err(session.ok().and_then(|session| refusal(session, &changes)).unwrap_or(error))
            }
            answer => stored(answer?),
        }
    }

    /// Has the list of its user know the session as it is.
    async fn list(&self, key: &SessionKey, record: &Record, until: Instant) -> Result<(), Error> {
        let (Some(era), Some(entry)) = (record.era(), Entry::of(key, record)) else { return Ok(()) };
        match era.user() {
            Some(user) => self.slide(user, entry, listed_until(era), until).await,
            None => Ok(()),
        }
    }

    /// Commits changes that open a new era.
    async fn open_era(
        &self,
        key: &SessionKey,
        changes: Arc<Changes>,
        options: &CommitOptions,
        until: Instant,
    ) -> Result<Loaded, Error> {
        let known = self.recent().get(key).filter(|record| era_is(record, &changes));
        let before = match known {
            Some(record) => Some(record),
            None => self.loaded(key, until).await?.map(|loaded| loaded.record),
        };
        // It was applied before, and its answer was lost: what comes after it may still be to do.
        let rules = options.rules(self.time().wall()).retry(true);
        let is_applied = |record: &Record| {
            !era_is(record, &changes) && matches!(record.commit(&changes, &rules), Ok(None))
        };
        let before = before.filter(|record| !(is_applied(record) && is_fresh(record, options.began)));
        let who = opened_by(key, before.as_deref(), &changes, options.began);
        match (&who, before.as_deref().and_then(|before| slid(key, before, &changes))) {
            (Some(Who { user, login }), _) => self.enter(user, *login, until).await?,
            (None, Some(Slid::To(user, entry, deadline))) => {
                self.slide(&user, entry, deadline, until).await?;
            }
            (None, _) => {}
        }
        let stored = self.committed(key, changes, options, until).await;
        let loaded = self.withdrawn(stored, who.as_ref(), until).await?;
        self.after_login(key, before.as_deref(), loaded, who, options.user_limit, until).await
    }

    /// Where it surely did not come about, the list forgets the login.
    async fn withdrawn(
        &self,
        stored: Result<Loaded, Error>,
        who: Option<&Who>,
        until: Instant,
    ) -> Result<Loaded, Error> {
        if let (Err(error), Some(Who { user, login })) = (&stored, who) {
            if error.kind() != ErrorKind::Ambiguous {
                self.withdraw(user, login.entry, until).await;
            }
        }
        stored
    }

    /// Settles what the record shows: who is too many, and whom the session was before.
    async fn after_login(
        &self,
        key: &SessionKey,
        before: Option<&Record>,
        loaded: Loaded,
        who: Option<Who>,
        limit: Option<NonZeroUsize>,
        until: Instant,
    ) -> Result<Loaded, Error> {
        let who = who.filter(|who| who.login.entry.is_shown(&loaded.record, &who.user));
        let settled = async {
            match &who {
                Some(who) => self.count(who, limit, until).await.map_err(in_doubt),
                None => Ok(Vec::new()),
            }
        };
        let (ended, ()) = tokio::join!(settled, self.leave_as_before(key, before, &loaded.record, until));
        self.recent().note(key, &loaded);
        Ok(loaded.with_ended(ended?))
    }

    /// Settles a login, and ends those that are too many. Answers which.
    async fn count(
        &self,
        who: &Who,
        limit: Option<NonZeroUsize>,
        until: Instant,
    ) -> Result<Vec<SessionKey>, Error> {
        let Who { user, login } = who;
        if let Some(limit) = limit {
            self.prune(user, limit, until).await?;
        }
        let outnumbered = match self.settle(user, *login, limit, until).await? {
            Settled::Yes(outnumbered) => outnumbered,
            // It was settled, and later logins took its place before it was answered: whoever did that ends it.
            Settled::Outnumbered => Vec::new(),
            Settled::Refused => {
                self.end_login(user, login.entry, EndReason::EndedByUser, until).await?;
                return Err(refused());
            }
        };
        let ends = outnumbered.iter().map(|entry| self.end_login(user, *entry, EndReason::Limit, until));
        let ended = try_join_all(ends).await?;
        self.leave_list(user, &outnumbered, until).await;
        let ended = outnumbered.iter().zip(ended).filter(|(_, ended)| *ended);
        Ok(ended.map(|(entry, _)| entry.key).collect())
    }

    /// Drops logins from the list whose sessions are over, where they could count towards the limit.
    async fn prune(&self, user: &str, limit: NonZeroUsize, until: Instant) -> Result<(), Error> {
        let logins = self.user_list(user, until).await?.settled();
        if logins.len() < limit.get() {
            return Ok(());
        }
        let looks = logins.iter().map(|entry| async move {
            let live = self.loaded(&entry.key, until).await?;
            Ok::<_, Error>(live.is_some_and(|live| entry.is_shown(&live.record, user)))
        });
        let looks = try_join_all(looks).await?;
        let gone: Vec<Entry> =
            logins.iter().zip(looks).filter(|(_, is_live)| !is_live).map(|(entry, _)| *entry).collect();
        self.leave_list(user, &gone, until).await;
        Ok(())
    }

    /// Ends a session where it still is that login. Answers whether it did.
    async fn end_login(
        &self,
        user: &Arc<str>,
        entry: Entry,
        reason: EndReason,
        until: Instant,
    ) -> Result<bool, Error> {
        let whose = Whose { user: user.clone(), login: Some(entry.login) };
        self.end_of(entry.key, whose, reason, until).await
    }

    /// Has the list of the user before forget the session.
    async fn leave_as_before(
        &self,
        key: &SessionKey,
        before: Option<&Record>,
        after: &Record,
        until: Instant,
    ) {
        let Some(before) = before else { return };
        let user = before.era().and_then(Era::user);
        let (Some(user), Some(entry)) = (user, Entry::of(key, before)) else { return };
        if !entry.is_shown(after, user) {
            self.leave_list(user, &[entry], until).await;
        }
    }
}

/// Whether the list of the user must hear of a later deadline.
enum Slid {
    Not,
    To(Arc<str>, Entry, Timestamp),
}

/// `None` where that cannot be told: the record is of another era.
fn slid(key: &SessionKey, before: &Record, changes: &Changes) -> Option<Slid> {
    let era = before.era().filter(|era| era.id() == changes.era())?;
    let deadline = to_be_listed_until(era, changes);
    let moves = deadline > listed_until(era);
    let whose = era.user().zip(Entry::of(key, before)).filter(|_| moves);
    Some(whose.map_or(Slid::Not, |(user, entry)| Slid::To(user.clone(), entry, deadline)))
}

fn era_is(record: &Record, changes: &Changes) -> bool {
    record.era().is_some_and(|era| era.id() == changes.era())
}

/// The login that a new record shows.
fn created_by(key: &SessionKey, record: &Record, began: Timestamp) -> Option<Who> {
    let (era, entry) = (record.era()?, Entry::of(key, record)?);
    let login = Login { entry, deadline: listed_until(era), began: Some(began) };
    Some(Who { user: era.user()?.clone(), login })
}

/// The login that a new era shows, where the record before did not show it: one that goes on with its user and their login
/// (a renewal) is none.
fn opened_by(key: &SessionKey, before: Option<&Record>, changes: &Changes, began: Timestamp) -> Option<Who> {
    let new = changes.new_era()?;
    let user = new.who()?.clone();
    let entry = Entry { key: *key, login: new.authenticated_at.unwrap_or_default() };
    if before.is_some_and(|before| entry.is_shown(before, &user)) {
        return None;
    }
    let era = before.and_then(Record::era);
    let deadline = era.map_or(new.hard_deadline, |era| to_be_listed_until(era, changes));
    let stays = era.and_then(Era::user) == Some(&user);
    Some(Who { user, login: Login { entry, deadline, began: (!stays).then_some(began) } })
}

/// Whether the user proved who they are in the very request. Then a login that was applied before its answer was lost is
/// asked for the barrier again; a renewal is not, for whoever raised the barrier spared its session.
fn is_fresh(record: &Record, began: Timestamp) -> bool {
    record.era().and_then(Era::authenticated_at).is_some_and(|at| at >= began)
}

/// Why a commit in doubt surely was refused, by what is there after it; `None` where that does not tell. While an owner is out of
/// reach the protocol cannot tell what that one did with it.
fn refusal(session: Option<Loaded>, changes: &Changes) -> Option<Error> {
    match session {
        // Of a value that was only set nobody can say any more that it was there. Of what an update made others may know.
        None => changes.is_blind().then(|| ErrorKind::Ended.into()),
        Some(Loaded { record, .. }) => {
            let era = record.era().filter(|era| changes.lost_to(era.id()));
            era.map(|_| ErrorKind::Superseded.into())
        }
    }
}

/// The session as it is stored, which may have ended since.
fn stored(answer: Answer) -> Result<Loaded, Error> {
    match answer {
        Answer::Session(Some(session)) => Ok(session),
        Answer::Session(None) => Err(ErrorKind::Ended.into()),
        other => Err(unexpected(&other)),
    }
}
