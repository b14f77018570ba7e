//! What changes come to, judged before anything is done.
//!
//! **Invariant.** Whatever can be refused is refused while the plan is made; carrying it out cannot fail. So a record
//! that nobody else holds is changed in place, and one whose changes are refused is as it was.

use std::sync::Arc;
use std::time::Duration;

use smallvec::SmallVec;

use super::{CommitRules, Era, Idle, Operations, Rare, Secrets, ValueEntry, Values};
use crate::changes::{Changes, NewEra, ValueChange};
use crate::error::{Error, ErrorKind};
use crate::name::Name;
use crate::stamp::Stamp;
use crate::time::Timestamp;

/// How long a removed value is remembered: longer than any late write of it can take.
const REMOVALS_REMEMBERED: Duration = Duration::from_secs(600);

/// What is different afterwards.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    /// The era that is opened; the rest happens in it.
    opened: Option<Box<Era>>,
    values: SmallVec<[(Name, ValueEntry); 1]>,
    idle: Option<Idle>,
    last_seen: Option<Timestamp>,
    secrets: Option<Secrets>,
    /// To be remembered, so that a retry finds it.
    operation: Option<Stamp>,
    /// Removals from before are forgotten.
    horizon: Timestamp,
}

impl Plan {
    /// Judges changes that began in `era`.
    pub(super) fn of(era: &Era, changes: &Changes, rules: &CommitRules) -> Result<Self, Error> {
        let mut values = SmallVec::new();
        for (key, change) in &changes.values {
            // Conditions are judged by what was there, also where a new era drops it.
            if let Some(entry) = era.judge(key, change, changes, rules)? {
                values.push((key.clone(), entry));
            }
        }
        let opened = changes.new_era().map(|new| Box::new(era.succeeded_by(new, changes.operation.at())));
        let start = opened.as_deref().unwrap_or(era);
        let idle = changes.idle_timeout.map(|timeout| Idle::new(timeout, changes.operation));
        Ok(Self {
            values,
            idle: idle.filter(|idle| *idle > start.idle),
            last_seen: changes.last_seen.filter(|at| *at > start.last_seen),
            secrets: secrets_after(&start.secrets, changes),
            operation: changes.is_conditional().then_some(changes.operation),
            horizon: rules.now.before(REMOVALS_REMEMBERED),
            opened,
        })
    }

    /// Whether nothing is different afterwards.
    pub(super) fn is_empty(&self) -> bool {
        self.opened.is_none()
            && self.values.is_empty()
            && self.idle.is_none()
            && self.last_seen.is_none()
            && self.secrets.is_none()
            && self.operation.is_none()
    }

    /// At least the weight that is added.
    pub(super) fn most_added(&self) -> usize {
        let values: usize = self.values.iter().map(|(key, entry)| Values::weight_of(key, entry)).sum();
        let opened = self.opened.as_ref().map_or(0, |era| era.weight());
        opened + values + Operations::WEIGHT_OF_ONE
    }

    /// Makes `era` what it is afterwards.
    pub(super) fn carry_out(self, era: &mut Era) {
        if let Some(opened) = self.opened {
            *era = *opened;
        }
        for (key, entry) in self.values {
            era.values.put(key, entry);
        }
        era.idle = self.idle.unwrap_or(era.idle);
        era.last_seen = self.last_seen.unwrap_or(era.last_seen);
        if let Some(secrets) = self.secrets {
            era.secrets = secrets;
        }
        if let Some(operation) = self.operation {
            era.rare.remember(operation);
        }
        era.values.forget_removals(self.horizon);
    }
}

/// The secrets after a renewal or a confirmation, where they differ then.
fn secrets_after(secrets: &Secrets, changes: &Changes) -> Option<Secrets> {
    if changes.renewal.is_none() && changes.confirmation.is_none() {
        return None;
    }
    let mut next = secrets.clone();
    if let Some(renewal) = changes.renewal {
        next.renew(renewal.from, renewal.verifier, renewal.minted);
    }
    if let Some((generation, at)) = changes.confirmation {
        next.confirm(generation, at);
    }
    (next != *secrets).then_some(next)
}

impl Era {
    /// The entry that a change of one value makes, `None` where it came before what is there.
    fn judge(
        &self,
        key: &str,
        change: &ValueChange,
        changes: &Changes,
        rules: &CommitRules,
    ) -> Result<Option<ValueEntry>, Error> {
        let (held, operation) = (self.values.get(key), changes.operation);
        // A later write of this key lets the first attempt in, and a writer who heard of a conflict does it once more.
        let once = changes.is_conditional() || changes.new_era().is_some();
        let overtaken = if rules.retry && once { ErrorKind::Ambiguous } else { ErrorKind::Conflict };
        match change {
            ValueChange::Update { seen, value } => {
                if held.map(ValueEntry::stamp) == *seen {
                    Ok(Some(ValueEntry::updated(held, operation, value.clone())))
                } else if rules.retry && self.rare.operations().may_have_forgotten(operation) {
                    Err(ErrorKind::Ambiguous.into())
                } else {
                    Err(ErrorKind::Conflict.into())
                }
            }
            ValueChange::Set(bytes) => judge_blind(held, operation, Some(bytes.clone()), overtaken),
            // Also of a value that is not there: a set that this removal saw may still be on its way to this copy, or
            // on another copy that a reader finds together with this one.
            ValueChange::Remove => judge_blind(held, operation, None, overtaken),
        }
    }

    fn succeeded_by(&self, new: &NewEra, opened_at: Timestamp) -> Self {
        let mut values = self.values.clone();
        values.retain(|key, _| new.keep.keeps(key));
        Self {
            id: self.id.next(new.nonce),
            user: new.user.clone(),
            authenticated_at: new.authenticated_at,
            hard_deadline: new.hard_deadline,
            idle: self.idle,
            last_seen: self.last_seen.max(opened_at),
            secrets: Secrets::first(new.verifier, opened_at),
            values,
            rare: Rare::default(),
        }
    }
}

/// A write without a condition applies where it is the latest. An older one counts as having come before the root of
/// what is there, unless updates led from that root to now without having seen it: then nobody may pretend that it
/// came before, and the writer asks again with a new stamp.
fn judge_blind(
    held: Option<&ValueEntry>,
    operation: Stamp,
    bytes: Option<Arc<[u8]>>,
    overtaken: ErrorKind,
) -> Result<Option<ValueEntry>, Error> {
    match held {
        Some(held) if operation <= held.root() => Ok(None),
        Some(held) if operation <= held.stamp() => Err(overtaken.into()),
        _ => Ok(Some(ValueEntry::blind(operation, bytes))),
    }
}
