//! Commits that open a new era, and creations: what the user's list must know before and after.
//!
//! A login enters the list, changes the record, and is settled in the list: three trips. What goes wrong in between
//! leaves an entry too many, which whoever reads the list sees through.

use std::num::NonZeroUsize;
use std::sync::Arc;

use abide_core::{CreateOptions, EndReason, Era, Error, ErrorKind, Loaded, Record, SessionKey, Timestamp};
use futures_util::future::{join_all, try_join_all};
use tokio::time::Instant;

use crate::combine::Job;
use crate::commit::{Seen, durable, with_current};
use crate::connect::Terms;
use crate::inner::{Copies, Inner, after_write};
use crate::reply::{Found, Written, is_of};
use crate::users::{Entered, Entry, Login, Settled, listed_until};

impl Inner {
    /// Commits changes that open a new era.
    pub(crate) async fn log_in(&self, key: &SessionKey, job: &Job) -> Result<Loaded, Error> {
        let (deadline, wanted) = (job.deadline, self.replicas(job.options.durability));
        let mut seen = self.lately(key);
        loop {
            let Seen { held, is_current } = self.see(key, seen.take(), deadline).await?;
            let (loaded, written) = match held.record.commit(&job.changes, &job.options.rules(self.now())) {
                Ok(Some(next)) => self.open_era(key, &held, &Arc::new(next), job).await?,
                _ if !is_current => continue,
                Err(error) => return Err(with_current(error, &held)),
                // It was applied before, and its answer was lost: what comes after it may still be to do.
                Ok(None) => {
                    let written = match wanted {
                        0 => Written::Done(0),
                        wanted => self.touch(key, &held, wanted, deadline).await?,
                    };
                    (held.clone(), written)
                }
            };
            match written {
                Written::Done(replicas) => {
                    let loaded = self.after_login(key, &held, loaded, job).await?;
                    return durable(loaded, replicas, wanted);
                }
                Written::Instead(found) => {
                    self.counts.races.add(1);
                    seen = Some(Seen { held: found.held()?, is_current: true });
                }
            }
        }
    }

    /// Enters the new era's user into the list, then writes the record.
    async fn open_era(
        &self,
        key: &SessionKey,
        held: &Loaded,
        next: &Arc<Record>,
        job: &Job,
    ) -> Result<(Loaded, Written), Error> {
        let (deadline, wanted) = (job.deadline, self.replicas(job.options.durability));
        let sealed = self.versions.seal(next, self.settings.max_bytes)?;
        let login = self.login(key, Some(&held.record), next, job.options.began);
        let Some(login) = login else {
            let (slid, written) = tokio::join!(
                self.slide(key, &held.record, next, self.now(), deadline),
                self.replace(key, held, &sealed, Copies::all(wanted), deadline)
            );
            let written = written?;
            return slid.map(|()| (sealed.loaded, written));
        };
        self.enter(&login, deadline).await?;
        let written = self.replace(key, held, &sealed, Copies::all(wanted), deadline).await?;
        if let Written::Instead(_) = written {
            self.withdraw(&login, deadline).await;
        }
        Ok((sealed.loaded, written))
    }

    /// Settles what the record shows: who is too many, and whom the session was before.
    async fn after_login(
        &self,
        key: &SessionKey,
        before: &Loaded,
        loaded: Loaded,
        job: &Job,
    ) -> Result<Loaded, Error> {
        let record = loaded.record.clone();
        let before = (before.version != loaded.version || !is_fresh(&record, job.options.began))
            .then_some(&*before.record);
        let login = self.login(key, before, &record, job.options.began);
        let limit = job.options.user_limit.map_or(0, NonZeroUsize::get);
        let (settled, ()) = tokio::join!(
            async {
                match &login {
                    Some(login) => self.settle(login, limit, job.deadline).await,
                    None => Ok(Some(Vec::new())),
                }
            },
            self.leave_as_before(key, before, &record, job.deadline)
        );
        match settled? {
            Some(ended) => Ok(loaded.with_ended(ended)),
            None => Err(Error::new(ErrorKind::Ended, "all sessions of the user were ended meanwhile")),
        }
    }

    /// Stores a new session.
    pub(crate) async fn create_session(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
        deadline: Instant,
    ) -> Result<Loaded, Error> {
        let wanted = self.replicas(options.durability);
        if self.ended.contains(key) || record.over(self.now()).is_some() {
            return Err(ErrorKind::Ended.into());
        }
        if record.weight() > options.max_weight {
            return Err(ErrorKind::TooLarge.into());
        }
        let record = Arc::new(record);
        let sealed = self.versions.seal(&record, self.settings.max_bytes)?;
        let login = self.login(key, None, &record, options.began);
        if let Some(login) = &login {
            self.enter(login, deadline).await?;
        }
        let (loaded, replicas) = match self.create(key, &sealed, wanted, deadline).await? {
            Written::Done(replicas) => (sealed.loaded, replicas),
            Written::Instead(found) => match self.meet(found, &record) {
                Ok(loaded) if wanted == 0 => (loaded, 0),
                Ok(loaded) => match self.touch(key, &loaded, wanted, deadline).await? {
                    Written::Done(replicas) => (loaded, replicas),
                    // It was changed since: whoever did that waited for replicas as they saw fit.
                    Written::Instead(_) => (loaded, 0),
                },
                Err(error) => {
                    if let Some(login) = &login {
                        self.withdraw(login, deadline).await;
                    }
                    return Err(error);
                }
            },
        };
        let ended = match &login {
            Some(login) => {
                let limit = options.user_limit.map_or(0, NonZeroUsize::get);
                self.settle(login, limit, deadline).await?.ok_or_else(refused)?
            }
            None => Vec::new(),
        };
        durable(loaded.with_ended(ended), replicas, wanted)
    }

    /// What a creation that found the key taken answers.
    fn meet(&self, found: Found, record: &Record) -> Result<Loaded, Error> {
        let held = found.live(self.now()).ok_or(ErrorKind::Ended)?;
        if held.record.created() == record.created() { Ok(held) } else { Err(ErrorKind::Exists.into()) }
    }

    /// The login that a record shows, where the one before did not show it: one that goes on with its user and their
    /// login (a renewal) is none.
    fn login<'a>(
        &self,
        key: &SessionKey,
        before: Option<&Record>,
        record: &'a Record,
        began: Timestamp,
    ) -> Option<Login<'a>> {
        let (era, entry) = (record.era()?, Entry::of(key, record)?);
        let user = era.user()?;
        if before.is_some_and(|before| shows(before, &entry, user)) {
            return None;
        }
        let stays = before.is_some_and(|before| is_of(before, user));
        Some(Login { user, entry, deadline: listed_until(era), began: (!stays).then_some(began) })
    }

    /// A hint too many in the list does no harm, so it is no error where it stays.
    async fn withdraw(&self, login: &Login<'_>, deadline: Instant) {
        let _ = self.users.withdraw(login.user, login.entry, Terms::write(deadline)).await;
    }

    async fn enter(&self, login: &Login<'_>, deadline: Instant) -> Result<(), Error> {
        match self.users.enter(login, self.now(), Terms::write(deadline)).await {
            Ok(Entered::Yes) => Ok(()),
            Ok(Entered::Refused) => Err(refused()),
            Ok(Entered::Outnumbered) => Err(Error::new(ErrorKind::Ended, "later logins took its place")),
            // Only an entry too many may have been written: of the session nothing was.
            Err(error) if error.kind() == ErrorKind::Ambiguous => {
                Err(Error::new(ErrorKind::Unavailable, "the list of the user did not answer")
                    .with_source(error))
            }
            Err(error) => Err(error),
        }
    }

    /// Settles a login. Answers the sessions that it ended, `None` where it came too late and ended itself.
    async fn settle(
        &self,
        login: &Login<'_>,
        limit: usize,
        deadline: Instant,
    ) -> Result<Option<Vec<SessionKey>>, Error> {
        if limit > 0 {
            after_write(self.prune(login, limit, deadline)).await?;
        }
        let terms = Terms::write(deadline);
        let outnumbered = match after_write(self.users.settle(login, limit, self.now(), terms)).await? {
            Settled::Yes(outnumbered) => outnumbered,
            Settled::Refused => {
                after_write(self.end_login(&login.entry, login.user, EndReason::EndedByUser, deadline))
                    .await?;
                return Ok(None);
            }
        };
        let ends = outnumbered.iter().map(|entry| async move {
            let ended = self.end_login(entry, login.user, EndReason::Limit, deadline).await?;
            Ok::<_, Error>(ended.then_some(entry.key))
        });
        let ended = after_write(try_join_all(ends)).await?;
        if !outnumbered.is_empty() {
            let _ = self.users.leave(login.user, &outnumbered, terms).await;
        }
        Ok(Some(ended.into_iter().flatten().collect()))
    }

    /// Drops logins from the list whose sessions are over, where they could count towards the limit.
    async fn prune(&self, login: &Login<'_>, limit: usize, deadline: Instant) -> Result<(), Error> {
        let logins = self.users.settled(login.user, Terms::read(deadline)).await?;
        if logins.len() < limit {
            return Ok(());
        }
        let looks = join_all(logins.iter().map(|entry| self.is_login(entry, login.user, deadline))).await;
        let looks = looks.into_iter().collect::<Result<Vec<_>, _>>()?;
        let gone: Vec<_> =
            logins.iter().zip(looks).filter(|(_, live)| !live).map(|(entry, _)| *entry).collect();
        self.users.leave(login.user, &gone, Terms::write(deadline)).await
    }

    async fn is_login(&self, entry: &Entry, user: &str, deadline: Instant) -> Result<bool, Error> {
        let live = self.look(&entry.key, deadline).await?.live(self.now());
        Ok(live.is_some_and(|held| shows(&held.record, entry, user)))
    }

    /// Ends a session where it still is that login. Answers whether it did.
    async fn end_login(
        &self,
        entry: &Entry,
        user: &str,
        reason: EndReason,
        deadline: Instant,
    ) -> Result<bool, Error> {
        self.end_where(&entry.key, reason, deadline, |record| shows(record, entry, user)).await
    }

    /// Ends a live session where its record is such a one. Answers whether it did.
    pub(crate) async fn end_where(
        &self,
        key: &SessionKey,
        reason: EndReason,
        deadline: Instant,
        is_meant: impl Fn(&Record) -> bool,
    ) -> Result<bool, Error> {
        let mut found = self.look(key, deadline).await?;
        while let Some(held) = found.live(self.now()).filter(|held| is_meant(&held.record)) {
            match self.end_seen(key, &held, reason, deadline).await? {
                Written::Done(_) => return Ok(true),
                Written::Instead(other) => found = other,
            }
        }
        Ok(false)
    }

    /// Has the list of the user before forget the session. A hint too many does no harm, so it is no error where it
    /// stays.
    async fn leave_as_before(
        &self,
        key: &SessionKey,
        before: Option<&Record>,
        after: &Record,
        deadline: Instant,
    ) {
        let Some(before) = before else { return };
        let user = before.era().and_then(Era::user);
        let (Some(user), Some(entry)) = (user, Entry::of(key, before)) else { return };
        if !shows(after, &entry, user) {
            let _ = self.users.leave(user, &[entry], Terms::write(deadline)).await;
        }
    }
}

/// Whether the user proved who they are in the very request. Then a login that was applied before its answer was lost is
/// asked for the barrier again; a renewal is not, for whoever raised the barrier spared its session.
fn is_fresh(record: &Record, began: Timestamp) -> bool {
    record.era().and_then(Era::authenticated_at).is_some_and(|at| at >= began)
}

/// Whether a record shows that login.
fn shows(record: &Record, entry: &Entry, user: &str) -> bool {
    is_of(record, user) && Entry::of(&entry.key, record) == Some(*entry)
}

fn refused() -> Error {
    Error::new(ErrorKind::Superseded, "all sessions were ended after this request began")
}
