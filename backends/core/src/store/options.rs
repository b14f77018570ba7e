//! What a caller may say beside the operation itself.
//!
//! Every struct here grows without breaking a store: build one with `Default` and its methods.

use std::num::NonZeroUsize;

use crate::record::{CommitRules, EndReason};
use crate::time::Timestamp;
use crate::token::SessionKey;

/// How sure the caller wants to be that a change survives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Durability {
    /// As the store is configured.
    #[default]
    Store,
    /// Answer as soon as the store has it.
    Async,
    /// Answer when this many replicas have it too. A store without replicas takes it for `Async`.
    Replicas(u8),
}

/// Options of [`SessionStore::create`](crate::SessionStore::create).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CreateOptions {
    /// When the request began: what "end all sessions of a user" is compared with.
    pub began: Timestamp,
    /// The largest weight of the record, in bytes.
    pub max_weight: usize,
    /// How many live sessions the user may have: where a login makes it more, those with the oldest login end. `None`
    /// is any number.
    pub user_limit: Option<NonZeroUsize>,
    /// How sure.
    pub durability: Durability,
}

impl Default for CreateOptions {
    /// A request that began after everything, with no limit on size or on the sessions of a user.
    fn default() -> Self {
        Self {
            began: Timestamp::MAX,
            max_weight: usize::MAX,
            user_limit: None,
            durability: Durability::Store,
        }
    }
}

/// Options of [`SessionStore::commit`](crate::SessionStore::commit).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct CommitOptions {
    /// When the request began: what "end all sessions of a user" is compared with.
    pub began: Timestamp,
    /// The largest weight that the record may grow to, in bytes.
    pub max_weight: usize,
    /// Of each value, the bytes that a wrapper added and that do not count (a nonce, a tag).
    pub value_overhead: usize,
    /// How many live sessions the user may have: where a login makes it more, those with the oldest login end. `None`
    /// is any number.
    pub user_limit: Option<NonZeroUsize>,
    /// How sure.
    pub durability: Durability,
    /// Whether the same changes were sent before and their answer was lost.
    pub retry: bool,
}

impl Default for CommitOptions {
    /// A first attempt by a request that began after everything, with no limit on size or on the sessions of a user.
    fn default() -> Self {
        Self {
            began: Timestamp::MAX,
            max_weight: usize::MAX,
            value_overhead: 0,
            user_limit: None,
            durability: Durability::Store,
            retry: false,
        }
    }
}

impl CommitOptions {
    /// By what a store whose time is `now` judges the changes: all that [`Record::commit`](crate::Record::commit) has
    /// to know.
    #[must_use]
    pub const fn rules(&self, now: Timestamp) -> CommitRules {
        CommitRules::at(now).max_weight(self.max_weight).value_overhead(self.value_overhead).retry(self.retry)
    }
}

macro_rules! setters {
    ($($type:ident { $($(#[$doc:meta])* $field:ident: $of:ty),+ $(,)? })+) => {$(
        impl $type {$(
            $(#[$doc])*
            #[must_use]
            pub fn $field(mut self, $field: $of) -> Self {
                self.$field = $field;
                self
            }
        )+}
    )+};
}

setters! {
    CreateOptions {
        /// When the request began.
        began: Timestamp,
        /// The largest weight, in bytes.
        max_weight: usize,
        /// How many live sessions the user may have.
        user_limit: Option<NonZeroUsize>,
        /// How sure.
        durability: Durability,
    }
    CommitOptions {
        /// When the request began.
        began: Timestamp,
        /// The largest weight, in bytes.
        max_weight: usize,
        /// How many live sessions the user may have.
        user_limit: Option<NonZeroUsize>,
        /// Of each value, the bytes that do not count.
        value_overhead: usize,
        /// How sure.
        durability: Durability,
        /// Whether this is a second attempt.
        retry: bool,
    }
    LoadOptions {
        /// Whether to go past every cache.
        fresh: bool,
    }
    EndOptions {
        /// How sure.
        durability: Durability,
    }
    EndUserOptions {
        /// Spares one session.
        except: Option<SessionKey>,
        /// Why.
        reason: EndReason,
    }
    Page {
        /// After which session the page starts.
        after: Option<SessionKey>,
        /// How many sessions at the most.
        limit: usize,
    }
}

/// Options of [`SessionStore::load`](crate::SessionStore::load).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct LoadOptions {
    /// Whether to go past every cache.
    pub fresh: bool,
}

/// Options of [`SessionStore::end`](crate::SessionStore::end).
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct EndOptions {
    /// How sure.
    pub durability: Durability,
}

/// Options of [`SessionStore::end_user`](crate::SessionStore::end_user).
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct EndUserOptions {
    /// A session to spare: the caller's own.
    pub except: Option<SessionKey>,
    /// Why.
    pub reason: EndReason,
}

impl Default for EndUserOptions {
    fn default() -> Self {
        Self { except: None, reason: EndReason::EndedByUser }
    }
}

/// Which page of a user's sessions.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Page {
    /// The last session of the page before.
    pub after: Option<SessionKey>,
    /// How many sessions at the most; at least one is answered where there is one.
    pub limit: usize,
}

impl Default for Page {
    /// The first hundred.
    fn default() -> Self {
        Self { after: None, limit: 100 }
    }
}
