//! The state of a session: a join of registers.
//!
//! A [`Record`] is alive or over. Alive, it is in one [`Era`]: a stretch of its life under one identity. Two copies of
//! a record [`join`](Record::join): being over absorbs everything, a higher era replaces a lower one whole, and within
//! one era each register joins by itself. The join is associative, commutative and idempotent, so copies agree
//! whatever the order in which they meet. A store changes a record by [`commit`](Record::commit) alone.
//!
//! | file | role |
//! |---|---|
//! | `mod` | the record, its life, how one is made and read |
//! | `era` | the registers of an era |
//! | `secrets` | the secrets of an era by generation: pending, confirmed, grace |
//! | `values` | the values, last writer wins by key |
//! | `few` | a list that mostly holds one |
//! | `operations` | the operations that a retry must find |
//! | `rare` | what most eras have nothing of |
//! | `commit` | whether changes apply, and the record that they make |
//! | `plan` | what they come to, judged before anything is done |
//! | `join` | the merge of two copies |

mod commit;
mod era;
mod few;
mod join;
mod operations;
mod plan;
mod rare;
mod secrets;
mod values;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use commit::CommitRules;
pub use era::{Era, EraId};
pub(crate) use era::{Idle, Unknown};
use few::Few;
pub(crate) use operations::Operations;
pub(crate) use rare::Rare;
pub(crate) use secrets::SecretEntry;
pub use secrets::{SecretState, Secrets};
pub use values::ValueEntry;
pub(crate) use values::Values;

use crate::name::Name;
use crate::stamp::Stamp;
use crate::time::Timestamp;
use crate::token::Verifier;

/// How long a record may live unless its creator says otherwise.
const DEFAULT_LIFE: Duration = Duration::from_secs(24 * 3600);
/// How long a record may go unused unless its creator says otherwise.
const DEFAULT_IDLE: Duration = Duration::from_secs(30 * 60);

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum EndReason {
    /// Its user logged out.
    LoggedOut,
    /// A deadline passed.
    Expired,
    /// Its user ended it from another session.
    EndedByUser,
    /// An administrator ended it.
    EndedByAdministrator,
    /// It was the oldest of a user with more sessions than allowed.
    Limit,
    /// A reason that a newer version knows.
    Other(u8),
}

impl EndReason {
    /// The number by which it is written.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::LoggedOut => 0,
            Self::Expired => 1,
            Self::EndedByUser => 2,
            Self::EndedByAdministrator => 3,
            Self::Limit => 4,
            Self::Other(code) => code,
        }
    }

    /// The reason that is written so.
    #[must_use]
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::LoggedOut,
            1 => Self::Expired,
            2 => Self::EndedByUser,
            3 => Self::EndedByAdministrator,
            4 => Self::Limit,
            other => Self::Other(other),
        }
    }
}

/// That a session is over, since when and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Ended {
    /// When it ended, or its deadline where it expired.
    pub at: Timestamp,
    /// Why.
    pub reason: EndReason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(
    clippy::large_enum_variant,
    reason = "nearly every record is alive, and a box would cost each one a look-up"
)]
pub(crate) enum Life {
    Alive(Era),
    Ended(Ended),
}

/// The state of one session.
///
/// A record is a value: [`commit`](Record::commit) and [`join`](Record::join) make a new one. Its `Debug` shows
/// neither values nor secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub(crate) created: Stamp,
    pub(crate) life: Life,
    /// Fields of newer versions: kept byte for byte as long as the record lives.
    pub(crate) unknown: Unknown,
}

/// What a new record starts with.
///
/// Without other deadlines it may go unused for 30 minutes and lives for 24 hours. `Debug` shows neither values nor
/// the nonce.
#[derive(Clone)]
#[must_use]
pub struct NewRecord {
    created: Stamp,
    nonce: [u8; 16],
    verifier: Verifier,
    now: Timestamp,
    idle_timeout: Duration,
    hard_deadline: Timestamp,
    identity: Option<(Arc<str>, Timestamp)>,
    values: Vec<(Name, Arc<[u8]>)>,
}

impl fmt::Debug for NewRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewRecord")
            .field("created", &self.created)
            .field("now", &self.now)
            .field("idle_timeout", &self.idle_timeout)
            .field("hard_deadline", &self.hard_deadline)
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

impl NewRecord {
    /// A record made at `now` by the operation `created`, for the token of `verifier`; `nonce` is 16 random bytes.
    pub fn new(created: Stamp, nonce: [u8; 16], verifier: Verifier, now: Timestamp) -> Self {
        Self {
            created,
            nonce,
            verifier,
            now,
            idle_timeout: DEFAULT_IDLE,
            hard_deadline: now + DEFAULT_LIFE,
            identity: None,
            values: Vec::new(),
        }
    }

    /// How long the session may go unused.
    pub fn idle_timeout(mut self, timeout: Duration) -> Self {
        self.idle_timeout = timeout;
        self
    }

    /// When the session is over whatever happens.
    pub fn hard_deadline(mut self, deadline: Timestamp) -> Self {
        self.hard_deadline = deadline;
        self
    }

    /// Who is signed in, and when they proved it.
    pub fn user(mut self, user: impl Into<Arc<str>>, authenticated_at: Timestamp) -> Self {
        self.identity = Some((user.into(), authenticated_at));
        self
    }

    /// A first value.
    pub fn value(mut self, key: impl Into<Name>, value: impl Into<Arc<[u8]>>) -> Self {
        self.values.push((key.into(), value.into()));
        self
    }
}

impl Record {
    /// A record in its first era.
    #[must_use]
    pub fn create(new: NewRecord) -> Self {
        let (user, authenticated_at) = new.identity.unzip();
        let mut values = Values::default();
        for (key, value) in new.values {
            values.put(key, ValueEntry::blind(new.created, Some(value)));
        }
        Self {
            created: new.created,
            life: Life::Alive(Era {
                id: EraId::first(new.nonce),
                user,
                authenticated_at,
                hard_deadline: new.hard_deadline,
                idle: Idle::new(new.idle_timeout, new.created),
                last_seen: new.now,
                secrets: Secrets::first(new.verifier, new.now),
                values,
                rare: Rare::default(),
            }),
            unknown: Unknown::default(),
        }
    }

    /// The record of a session that is over: what a store keeps to refuse late writes. Its content is gone.
    #[must_use]
    pub fn ended(created: Stamp, at: Timestamp, reason: EndReason) -> Self {
        // A known reason has one form: `Other` with its code would differ from itself once it was decoded.
        let reason = EndReason::from_code(reason.code());
        Self { created, life: Life::Ended(Ended { at, reason }), unknown: Unknown::default() }
    }

    /// The operation that made the session, also after it ended.
    #[must_use]
    pub fn created(&self) -> Stamp {
        self.created
    }

    /// The era, `None` once the session is over.
    #[must_use]
    pub fn era(&self) -> Option<&Era> {
        match &self.life {
            Life::Alive(era) => Some(era),
            Life::Ended(_) => None,
        }
    }

    /// Since when and why the session is over: because somebody ended it, or because `now` is past its deadline.
    #[must_use]
    pub fn over(&self, now: Timestamp) -> Option<Ended> {
        match &self.life {
            Life::Ended(ended) => Some(*ended),
            Life::Alive(era) if era.deadline() <= now => {
                Some(Ended { at: era.deadline(), reason: EndReason::Expired })
            }
            Life::Alive(_) => None,
        }
    }

    /// The bytes of a value, `None` where it is absent or the session is over.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<&[u8]> {
        self.era()?.value(key)
    }

    /// The same record with other bytes in its values: what a wrapper stores in place of what it was given, or gives
    /// in place of what is stored. Stamps, and all else that merging goes by, stay. `None` leaves a value out, as one
    /// that was removed.
    ///
    /// ```
    /// # use abide_core::{NewRecord, Record, Stamps, Timestamp, Token};
    /// # let (now, token) = (Timestamp::from_millis(1_000), Token::from_bytes([1; 32]));
    /// # let new = NewRecord::new(Stamps::new(7).next(now), [9; 16], token.verifier(), now);
    /// let record = Record::create(new.value("cart", b"abc".as_slice()));
    /// let reversed = |record: &Record| {
    ///     record.map_values(|_, bytes| Ok::<_, ()>(Some(bytes.iter().rev().copied().collect())))
    /// };
    /// assert_eq!(reversed(&record)?.value("cart"), Some(b"cba".as_slice()));
    /// assert_eq!(reversed(&reversed(&record)?)?, record);
    /// # Ok::<(), ()>(())
    /// ```
    ///
    /// # Errors
    ///
    /// The first that `map` answers.
    pub fn map_values<E>(
        &self,
        map: impl FnMut(&Name, &Arc<[u8]>) -> Result<Option<Arc<[u8]>>, E>,
    ) -> Result<Self, E> {
        let mut mapped = self.clone();
        if let Life::Alive(era) = &mut mapped.life {
            era.values.map(map)?;
        }
        Ok(mapped)
    }

    /// The latest stamp in the record: a writer's next one must be later.
    #[must_use]
    pub fn latest_stamp(&self) -> Stamp {
        match self.era() {
            Some(era) => self.created.max(era.latest_stamp()),
            None => self.created,
        }
    }

    /// About how many bytes the record takes, at rest and in memory: what size limits are judged by.
    #[must_use]
    pub fn weight(&self) -> usize {
        const BASE: usize = 192;
        BASE + self.unknown.weight() + self.era().map_or(0, Era::weight)
    }

    /// The weight without `overhead` bytes of each value.
    fn weight_beside(&self, overhead: usize) -> usize {
        let added = self.era().map_or(0, |era| era.values.present()).saturating_mul(overhead);
        self.weight().saturating_sub(added)
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::token::Token;

    pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_000_000);

    pub(crate) fn stamp(millis: u64, writer: u64) -> Stamp {
        crate::stamp::Stamps::new(writer).next(Timestamp::from_millis(millis))
    }

    pub(crate) fn token() -> Token {
        Token::from_bytes([5; 32])
    }

    pub(crate) fn record() -> Record {
        Record::create(
            NewRecord::new(stamp(NOW.as_millis(), 1), [1; 16], token().verifier(), NOW)
                .idle_timeout(Duration::from_secs(600))
                .hard_deadline(NOW + Duration::from_secs(3600))
                .value("a", b"1".as_slice()),
        )
    }

    #[test]
    fn a_session_is_over_at_its_idle_deadline_and_never_lives_past_the_hard_one() {
        let record = record();
        let idle_end = NOW + Duration::from_secs(600);
        assert_eq!(record.over(idle_end.before(Duration::from_millis(1))), None);
        assert_eq!(record.over(idle_end).map(|over| over.reason), Some(EndReason::Expired));

        let mut slide = Changes::new(stamp(NOW.as_millis() + 5, 1), record.era().unwrap().id());
        slide.seen_at(NOW + Duration::from_secs(3599));
        let rules = CommitRules::at(NOW + Duration::from_secs(1));
        let record = record.commit(&slide, &rules).unwrap().unwrap();
        assert_eq!(record.era().unwrap().deadline(), NOW + Duration::from_secs(3600));
    }

    /// Every session of a store in the process takes this much: who makes it more should know.
    #[test]
    fn a_record_is_small() {
        let size = |of: usize, at_most: usize, what: &str| assert!(of <= at_most, "{what}: {of} > {at_most}");
        size(size_of::<Secrets>(), 40, "secrets, one in place");
        size(size_of::<Values>(), 72, "values, one in place");
        size(size_of::<Record>(), 232, "a record");
    }

    #[test]
    fn debug_shows_no_value() {
        let shown = format!("{:?}", record());
        assert!(!shown.contains("49") && shown.contains("bytes"), "{shown}");
    }

    use crate::changes::Changes;
}
