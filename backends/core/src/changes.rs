//! What a request did to a session.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use crate::name::Name;
use crate::record::EraId;
use crate::stamp::Stamp;
use crate::time::Timestamp;
use crate::token::Verifier;

/// What happens to one value.
///
/// `Debug` shows how large the value is, and never what it is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ValueChange {
    /// Set, whatever was there.
    Set(Arc<[u8]>),
    /// Removed, whatever was there.
    Remove,
    /// Set or removed on the condition that the value still is the one that was read: of this stamp, or absent.
    /// It is what makes `update` and `increment` lose nothing.
    Update {
        /// The stamp of the value that was read, `None` where there was none.
        seen: Option<Stamp>,
        /// The new value; `None` removes it.
        value: Option<Arc<[u8]>>,
    },
}

impl fmt::Debug for ValueChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Set(bytes) => write!(f, "Set({} bytes)", bytes.len()),
            Self::Remove => f.write_str("Remove"),
            Self::Update { seen, value } => {
                let bytes = value.as_ref().map(|bytes| bytes.len());
                write!(f, "Update({bytes:?} bytes, seen {seen:?})")
            }
        }
    }
}

/// Which values a new era carries over.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Keep {
    /// All of them, those included that other requests write until the era opens.
    #[default]
    All,
    /// None.
    Nothing,
    /// Those under these keys.
    Only(Vec<Name>),
}

impl Keep {
    /// Whether the value under `key` is carried over.
    #[must_use]
    pub fn keeps(&self, key: &str) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Only(keys) => keys.iter().any(|kept| &**kept == key),
        }
    }
}

/// The identity under which the session goes on: after a login, a renewal, or a user's departure.
///
/// `Debug` does not show the nonce, which is a secret of the server.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct NewEra {
    /// 16 random bytes: they tell this era from another one of the same number, and seed its CSRF token.
    pub nonce: [u8; 16],
    /// The verifier of the one secret that is good from now on.
    pub verifier: Verifier,
    /// Who is signed in.
    pub user: Option<Arc<str>>,
    /// When that user last proved who they are.
    pub authenticated_at: Option<Timestamp>,
    /// When the session is over whatever happens.
    pub hard_deadline: Timestamp,
    /// Which values are carried over.
    pub keep: Keep,
}

impl fmt::Debug for NewEra {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewEra")
            .field("user", &self.user)
            .field("authenticated_at", &self.authenticated_at)
            .field("hard_deadline", &self.hard_deadline)
            .field("keep", &self.keep)
            .finish_non_exhaustive()
    }
}

impl NewEra {
    /// An era without a user that keeps every value.
    #[must_use]
    pub fn new(nonce: [u8; 16], verifier: Verifier, hard_deadline: Timestamp) -> Self {
        Self { nonce, verifier, user: None, authenticated_at: None, hard_deadline, keep: Keep::All }
    }

    /// Binds a user.
    #[must_use]
    pub fn user(mut self, user: impl Into<Arc<str>>, authenticated_at: Timestamp) -> Self {
        self.user = Some(user.into());
        self.authenticated_at = Some(authenticated_at);
        self
    }

    /// Keeps the user and the authentication time of the era before, where there is one.
    #[must_use]
    pub fn identity(mut self, user: Option<Arc<str>>, authenticated_at: Option<Timestamp>) -> Self {
        self.user = user;
        self.authenticated_at = authenticated_at;
        self
    }

    /// Chooses the values to carry over.
    #[must_use]
    pub fn keep(mut self, keep: Keep) -> Self {
        self.keep = keep;
        self
    }

    /// Who is signed in from then on.
    #[must_use]
    pub fn who(&self) -> Option<&Arc<str>> {
        self.user.as_ref()
    }
}

/// A further secret for the same era: pending until the client presents it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Renewal {
    /// The generation that must still be the newest; otherwise another request minted first.
    pub from: u32,
    /// The verifier of the new secret.
    pub verifier: Verifier,
    /// When it was minted.
    pub minted: Timestamp,
}

/// What one request did to one session: only what was touched.
///
/// A value changed twice keeps its last change. The operation's stamp must be later than every stamp that the writer
/// saw in the record ([`Stamps::next_after`](crate::Stamps::next_after)); sending the same changes twice applies them
/// once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changes {
    pub(crate) operation: Stamp,
    pub(crate) era: EraId,
    pub(crate) last_seen: Option<Timestamp>,
    pub(crate) idle_timeout: Option<Duration>,
    pub(crate) values: SmallVec<[(Name, ValueChange); 1]>,
    pub(crate) renewal: Option<Renewal>,
    pub(crate) confirmation: Option<(u32, Timestamp)>,
    pub(crate) new_era: Option<Box<NewEra>>,
}

impl Changes {
    /// No change yet, by `operation`, to the session as it was in `era`.
    #[must_use]
    pub fn new(operation: Stamp, era: EraId) -> Self {
        Self {
            operation,
            era,
            last_seen: None,
            idle_timeout: None,
            values: SmallVec::new(),
            renewal: None,
            confirmation: None,
            new_era: None,
        }
    }

    /// Sets a value.
    pub fn set(&mut self, key: impl Into<Name>, value: impl Into<Arc<[u8]>>) {
        self.change(key.into(), ValueChange::Set(value.into()));
    }

    /// Removes a value.
    pub fn remove(&mut self, key: impl Into<Name>) {
        self.change(key.into(), ValueChange::Remove);
    }

    /// Replaces the value that was read; see [`ValueChange::Update`].
    pub fn update(&mut self, key: impl Into<Name>, seen: Option<Stamp>, value: Option<Arc<[u8]>>) {
        self.change(key.into(), ValueChange::Update { seen, value });
    }

    /// Adds a change of one value, in place of an earlier one of the same value.
    pub fn change(&mut self, key: Name, change: ValueChange) {
        match self.values.iter_mut().find(|(known, _)| *known == key) {
            Some((_, earlier)) => *earlier = change,
            None => self.values.push((key, change)),
        }
    }

    /// Slides the idle deadline: the session was used at `at`.
    pub fn seen_at(&mut self, at: Timestamp) {
        self.last_seen = Some(at);
    }

    /// Changes how long the session may go unused.
    pub fn set_idle_timeout(&mut self, timeout: Duration) {
        self.idle_timeout = Some(timeout);
    }

    /// Adds a pending secret, unless another request added one to the generation `from` first.
    pub fn renew(&mut self, from: u32, verifier: Verifier, minted: Timestamp) {
        self.renewal = Some(Renewal { from, verifier, minted });
    }

    /// The client presented the secret of `generation`: the older ones are good for a grace from `at` only.
    pub fn confirm(&mut self, generation: u32, at: Timestamp) {
        self.confirmation = Some((generation, at));
    }

    /// Opens a new era; the other changes are applied in it.
    pub fn open_era(&mut self, era: NewEra) {
        self.new_era = Some(Box::new(era));
    }

    /// The operation that these changes are.
    #[must_use]
    pub fn operation(&self) -> Stamp {
        self.operation
    }

    /// The era in which they began.
    #[must_use]
    pub fn era(&self) -> EraId {
        self.era
    }

    /// The era that they open, where they open one.
    #[must_use]
    pub fn new_era(&self) -> Option<&NewEra> {
        self.new_era.as_deref()
    }

    /// Whether another new era took the place of the one that these would open, so that they were not applied and never
    /// will be. A session that went further does not tell: theirs may have been on the way.
    ///
    /// ```
    /// # use abide_core::{Changes, EraId, NewEra, Stamp, Timestamp, Token};
    /// # let verifier = Token::from_bytes([1; 32]).verifier();
    /// let before = EraId::first([0; 16]);
    /// let mut login = Changes::new(Stamp::ZERO, before);
    /// login.open_era(NewEra::new([1; 16], verifier, Timestamp::MAX));
    /// assert!(login.lost_to(before.next([2; 16])));
    /// assert!(!login.lost_to(before.next([1; 16])), "it is theirs");
    /// assert!(!login.lost_to(before.next([2; 16]).next([3; 16])));
    /// ```
    #[must_use]
    pub fn lost_to(&self, era: EraId) -> bool {
        let place = self.era.number().checked_add(1);
        place == Some(era.number()) && self.new_era().is_some_and(|new| new.nonce != era.nonce())
    }

    /// The changed values.
    pub fn values(&self) -> impl Iterator<Item = (&str, &ValueChange)> {
        self.values.iter().map(|(key, change)| (&**key, change))
    }

    /// The same changes with other bytes in their values: what a wrapper sends in place of what it was given. The
    /// operation, conditions and all else stay.
    ///
    /// # Errors
    ///
    /// The first that `map` answers.
    pub fn map_values<E>(
        &self,
        mut map: impl FnMut(&Name, &Arc<[u8]>) -> Result<Arc<[u8]>, E>,
    ) -> Result<Self, E> {
        let mut mapped = self.clone();
        for (key, change) in &mut mapped.values {
            match change {
                ValueChange::Set(bytes) | ValueChange::Update { value: Some(bytes), .. } => {
                    *bytes = map(key, bytes)?;
                }
                ValueChange::Remove | ValueChange::Update { value: None, .. } => {}
            }
        }
        Ok(mapped)
    }

    /// Whether nothing was touched.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.last_seen.is_none()
            && self.idle_timeout.is_none()
            && self.values.is_empty()
            && self.renewal.is_none()
            && self.confirmation.is_none()
            && self.new_era.is_none()
    }

    /// Whether these changes come to the same with any others of their kind, whatever the order in which copies of the
    /// record take them: nothing in them depends on what was there. An update, a renewal and a new era do.
    #[must_use]
    pub fn is_blind(&self) -> bool {
        self.new_era.is_none() && self.renewal.is_none() && !self.is_conditional()
    }

    /// Whether a value changes only on a condition, so that whoever asks again must find what the first attempt did.
    #[must_use]
    pub fn is_conditional(&self) -> bool {
        self.values.iter().any(|(_, change)| matches!(change, ValueChange::Update { .. }))
    }
}
