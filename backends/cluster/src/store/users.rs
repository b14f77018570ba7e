//! What is asked of the list of a user.

use std::num::NonZeroUsize;
use std::sync::Arc;

use abide_core::users::{Entered, Entry, Settled};
use abide_core::{Error, ErrorKind, Timestamp};
use tokio::time::Instant;

use super::asking::unexpected;
use super::handle::ClusterStore;
use crate::protocol::{Answer, Key, Login, Request, UserAnswer, UserEdit, UserList};

impl ClusterStore {
    /// The list of a user.
    pub(super) async fn user_list(&self, user: &str, until: Instant) -> Result<Arc<UserList>, Error> {
        match self.ask(Request::UserList { user: Key::user(user) }, false, until).await? {
            Answer::UserList(list) => Ok(list),
            other => Err(unexpected(&other)),
        }
    }

    /// Enters a login, before its session shows it.
    pub(super) async fn enter(&self, user: &str, login: Login, until: Instant) -> Result<(), Error> {
        let answer = self.edit(user, UserEdit::Enter(login), until).await.map_err(untouched)?;
        match answer {
            UserAnswer::Entered(Entered::Yes) => Ok(()),
            UserAnswer::Entered(Entered::Refused) => Err(refused()),
            UserAnswer::Entered(Entered::Outnumbered) => {
                Err(Error::new(ErrorKind::Ended, "later logins took its place"))
            }
            other => Err(unexpected(&Answer::User(other))),
        }
    }

    /// Settles a login, once its session shows it.
    pub(super) async fn settle(
        &self,
        user: &str,
        login: Login,
        limit: Option<NonZeroUsize>,
        until: Instant,
    ) -> Result<Settled, Error> {
        match self.edit(user, UserEdit::Settle(login, limit), until).await? {
            UserAnswer::Settled(settled) => Ok(settled),
            other => Err(unexpected(&Answer::User(other))),
        }
    }

    /// Has the list know that a session may live until then, before it does.
    pub(super) async fn slide(
        &self,
        user: &str,
        entry: Entry,
        deadline: Timestamp,
        until: Instant,
    ) -> Result<(), Error> {
        self.edit(user, UserEdit::Slide(entry, deadline), until).await.map_err(untouched).map(drop)
    }

    /// Raises the barrier, and answers the logins that may be below it.
    pub(super) async fn raise(
        &self,
        user: &str,
        barrier: Timestamp,
        until: Instant,
    ) -> Result<Vec<Entry>, Error> {
        match self.edit(user, UserEdit::Raise(barrier), until).await? {
            UserAnswer::Raised(entries) => Ok(entries),
            other => Err(unexpected(&Answer::User(other))),
        }
    }

    /// Drops logins whose sessions are over or another's. A hint too many in the list does no harm, so it is no error
    /// where it stays.
    pub(super) async fn leave_list(&self, user: &str, gone: &[Entry], until: Instant) {
        if !gone.is_empty() {
            let _ = self.edit(user, UserEdit::Leave(gone.into()), until).await;
        }
    }

    /// Drops a login that did not come about. It is no error where it stays.
    pub(super) async fn withdraw(&self, user: &str, entry: Entry, until: Instant) {
        let _ = self.edit(user, UserEdit::Withdraw(entry), until).await;
    }

    async fn edit(&self, user: &str, edit: UserEdit, until: Instant) -> Result<UserAnswer, Error> {
        let (user, call) = (Key::user(user), self.name_call());
        let request = |is_again| Request::User { user, edit: edit.clone(), call, is_again };
        match self.settled(request(false), request(true), until).await? {
            Answer::User(answer) => Ok(answer),
            other => Err(unexpected(&other)),
        }
    }
}

/// A login whose request began before all of the user's sessions were ended.
pub(super) fn refused() -> Error {
    Error::new(ErrorKind::Superseded, "all sessions were ended after this request began")
}

/// Only an entry too many may have been written: of the session nothing was.
fn untouched(error: Error) -> Error {
    if error.kind() == ErrorKind::Ambiguous {
        Error::new(ErrorKind::Unavailable, "the list of the user did not answer").with_source(error)
    } else {
        error
    }
}
