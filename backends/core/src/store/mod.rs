//! The contract of a session store.
//!
//! A store keeps records by key and merges [`Changes`] into them. It never sees a token: the layer verifies the
//! secret against the record before it asks for anything to be changed or ended. What [`Record::commit`](crate::Record::commit)
//! decides, every store decides by calling it at its own point of serialisation.
//!
//! Each sentence of the trait's documentation has a case in `abide-conformance`, which any store can run.

mod answers;
mod metrics;
mod options;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

pub use answers::{
    Capabilities, Drained, EndOutcome, Loaded, Peek, Readiness, UserPage, UserSession, Version,
};
pub use metrics::{Metric, MetricKind};
pub use options::{CommitOptions, CreateOptions, Durability, EndOptions, EndUserOptions, LoadOptions, Page};

use crate::changes::Changes;
use crate::error::Error;
use crate::record::{EndReason, Record};
use crate::token::SessionKey;

/// Where sessions live.
///
/// **Words.** A session is *live* from its creation until it is ended or `now` reaches its
/// [deadline](crate::Era::deadline); from then on it is *over*. A store MUST treat a session that is past its deadline
/// as over, whether or not it has been swept.
///
/// **Linearizable.** Operations on one session MUST appear to happen one after the other, each between its call and
/// its answer, for all callers of all clones and processes that share the store. A store that cannot promise that
/// (across a failover, say) MUST say so in its documentation.
///
/// **Cancellation.** Dropping a future before it resolved leaves the operation undecided: it may still happen, once.
/// It MUST NOT leave anything locked, and it MUST NOT happen in part.
///
/// **Out of reach.** An operation that was not sent, or was refused, is [`Unavailable`](crate::ErrorKind::Unavailable);
/// one that may have happened is [`Ambiguous`](crate::ErrorKind::Ambiguous), and asking again with the same arguments
/// and `retry` set MUST NOT apply it twice.
///
/// There are no default methods, so that a wrapper cannot bypass the store that it wraps without saying so.
#[async_trait]
pub trait SessionStore: Send + Sync + fmt::Debug + 'static {
    /// Stores a new session.
    ///
    /// - A free key: stores the record and answers it.
    /// - A live session under the key: [`Exists`](crate::ErrorKind::Exists), and nothing changes; but where it has the
    ///   same [`created`](Record::created) stamp, this creation has met itself: answers what is stored.
    /// - A session under the key that is remembered as over: [`Ended`](crate::ErrorKind::Ended). One that expired is
    ///   remembered for at least ten minutes from its creation, for that may be sent twice and arrive late.
    /// - A record that is over already: [`Ended`](crate::ErrorKind::Ended).
    /// - A user whose sessions were all ended after [`CreateOptions::began`]: [`Superseded`](crate::ErrorKind::Superseded).
    /// - A record above [`CreateOptions::max_weight`]: [`TooLarge`](crate::ErrorKind::TooLarge).
    /// - A user who then has more live sessions than [`CreateOptions::user_limit`]: those with the oldest login end, as
    ///   [`commit`](SessionStore::commit) says.
    /// - No room: [`Full`](crate::ErrorKind::Full).
    async fn create(
        &self,
        key: &SessionKey,
        record: Record,
        options: &CreateOptions,
    ) -> Result<Loaded, Error>;

    /// The session, or `None` where it is missing, over, or expired. Loading changes nothing: it does not slide.
    ///
    /// The answer MUST NOT be older than the last change that any caller saw answered before this call, unless the
    /// store documents a bound and [`LoadOptions::fresh`] is not set.
    async fn load(&self, key: &SessionKey, options: &LoadOptions) -> Result<Option<Loaded>, Error>;

    /// What [`load`](SessionStore::load) would answer, where that is known without waiting; else [`Peek::Ask`].
    ///
    /// It MUST NOT block and SHOULD NOT allocate.
    fn peek(&self, key: &SessionKey) -> Peek;

    /// Merges changes into a session, as [`Record::commit`](crate::Record::commit) does, and answers what is stored
    /// then.
    ///
    /// - Missing: [`Missing`](crate::ErrorKind::Missing); a commit never makes a session.
    /// - Over or expired: [`Ended`](crate::ErrorKind::Ended), or `Missing` once the store has forgotten it.
    /// - In another era: [`Superseded`](crate::ErrorKind::Superseded).
    /// - A condition that does not hold: [`Conflict`](crate::ErrorKind::Conflict), with the current record where it is
    ///   at hand.
    /// - A new era with another user than before, whose sessions were all ended after [`CommitOptions::began`]:
    ///   [`Superseded`](crate::ErrorKind::Superseded). A session that was spared goes on with its user, also into a
    ///   new era.
    /// - An operation that was applied before: answers what is stored, and applies nothing.
    /// - Larger than [`CommitOptions::max_weight`], without [`CommitOptions::value_overhead`] of each value:
    ///   [`TooLarge`](crate::ErrorKind::TooLarge).
    ///
    /// - No room for what it grew by: [`Full`](crate::ErrorKind::Full).
    /// - A login (a new era with a user who proved who they are, just now) after which that user has more live sessions
    ///   than [`CommitOptions::user_limit`]: those with the oldest login end, and the answer [names](Loaded::ended) them.
    ///   The session that logs in is never one of them. However many log in at once, no more than the limit are live
    ///   once all are answered.
    ///
    /// `version` is that of the record from which the caller made the changes: a hint that saves a store a look at its
    /// copy. A store MUST NOT refuse changes because the version moved on.
    async fn commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Result<Loaded, Error>;

    /// What [`commit`](SessionStore::commit) would answer, where that needs no waiting; else `None`, and nothing was
    /// done.
    ///
    /// It MUST NOT block: a store that keeps its sessions elsewhere answers `None`.
    fn try_commit(
        &self,
        key: &SessionKey,
        version: Version,
        changes: &Changes,
        options: &CommitOptions,
    ) -> Option<Result<Loaded, Error>>;

    /// Ends a session, whatever else is under way: no commit and no retried create brings it back.
    ///
    /// A session that is missing or over is no error; the answer says whether there was a live one. The end is
    /// remembered for at least ten minutes, also for a key that was not found, for its creation may be late. A store
    /// with a bound may forget the oldest ends sooner, and MUST say so in its documentation.
    async fn end(
        &self,
        key: &SessionKey,
        reason: EndReason,
        options: &EndOptions,
    ) -> Result<EndOutcome, Error>;

    /// The live sessions of a user, a page at a time, in an order that stays the same while pages are fetched. A
    /// session that was there before the first page and is live at the last one appears; a user without sessions has
    /// an empty page.
    async fn of_user(&self, user: &str, page: &Page) -> Result<UserPage, Error>;

    /// Ends every session of a user, but for [`EndUserOptions::except`], and answers how many live ones there were.
    ///
    /// From then on a login of this user whose request began earlier is refused, so that a login in flight does not
    /// escape.
    async fn end_user(&self, user: &str, options: &EndUserOptions) -> Result<u64, Error>;

    /// Ends every session of the store, and answers how many live ones there were.
    async fn end_all(&self, reason: EndReason) -> Result<u64, Error>;

    /// Whether the store can serve now.
    async fn ready(&self) -> Readiness;

    /// What the store can do.
    fn capabilities(&self) -> Capabilities;

    /// What the store counts about itself, each name once, in an order that stays the same; a counter never goes down.
    ///
    /// It MUST NOT block, and answers also while the store is out of reach.
    fn metrics(&self) -> Vec<Metric>;

    /// Hands over what only this process holds, within `deadline`. Called once, when the process is about to end. A
    /// store that holds nothing alone answers at once.
    ///
    /// Meanwhile and afterwards it answers reads as before. It takes writes too, unless they would be lost: such a one
    /// is [`Unavailable`](crate::ErrorKind::Unavailable), so that what was handed over is what everybody saw last.
    /// One that is under way when the drain is done may be [`Ambiguous`](crate::ErrorKind::Ambiguous). A drain that fails
    /// leaves the store as it was.
    async fn drain(&self, deadline: Duration) -> Result<Drained, Error>;
}
