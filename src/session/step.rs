//! From one look at the session to the step that an operation takes: a creation, or changes.
//!
//! Nothing here waits; a step that the store refuses because another request came between is made anew.

use std::sync::Arc;

use abide_core::entropy::random_bytes;
use abide_core::{
    Changes, CommitOptions, CreateOptions, ErrorKind as StoreKind, Name, NewEra, NewRecord, Record, Secret,
    SessionKey, Stamp, Timestamp, Token, Version,
};

use super::Session;
use super::pending::Revision;
use super::state::{Identity, Live, State};
use super::write::{Intent, NewIdentity, NewUser};
use crate::error::Error;
use crate::event::EventKind;

/// What an operation came to, made of one look at the session.
#[allow(clippy::large_enum_variant, reason = "a commit is the usual step, and seldom needs a box")]
pub(super) enum Step {
    Nothing,
    Create(Box<Creation>),
    Commit(Commitment),
}

pub(super) struct Creation {
    pub(super) token: Token,
    pub(super) record: Record,
    pub(super) options: CreateOptions,
    /// Up to which revision of what is pending the record holds.
    pub(super) taken: Revision,
}

pub(super) struct Commitment {
    pub(super) key: SessionKey,
    pub(super) version: Version,
    pub(super) changes: Changes,
    pub(super) options: CommitOptions,
    /// The token that the changes make good.
    pub(super) token: Option<Token>,
    is_login: bool,
    /// Up to which revision of what is pending the changes hold.
    pub(super) taken: Revision,
}

impl Commitment {
    /// What a token of these changes means.
    pub(super) fn token_event(&self) -> EventKind {
        if self.is_login { EventKind::LoggedIn } else { EventKind::Renewed }
    }
}

/// The new value of an update, and the stamp of the value that it was made of.
struct Updated {
    key: Name,
    seen: Option<Stamp>,
    value: Arc<[u8]>,
    /// Up to which revision of what is pending it was made.
    taken: Revision,
}

/// What a step is made of, beside the session.
struct Parts<'a> {
    opens: Option<&'a NewIdentity>,
    begins: bool,
    updated: Option<Updated>,
    taken: Revision,
}

impl Session {
    pub(super) fn next_step(&self, intent: &mut Intent<'_>) -> Result<Step, Error> {
        let updated = self.updated(intent)?;
        let opens = match intent {
            Intent::Open(identity) => Some(*identity),
            _ => None,
        };
        let mut state = self.state();
        let taken = updated.as_ref().map_or_else(|| state.pending.revision(), |updated| updated.taken);
        let parts = Parts { opens, begins: matches!(intent, Intent::Begin), updated, taken };
        let step = match &state.identity {
            Identity::Live(live) => self.commit_step(&state, live, parts),
            Identity::Empty => self.create_step(&state, parts),
            Identity::Over => Err(StoreKind::Ended.into()),
            // The caller opened it.
            Identity::Unopened | Identity::Left(_) => Ok(Step::Nothing),
        };
        // Seen under the same lock as that the headers are there: the response waits for it.
        state.mints = matches!(&step, Ok(Step::Commit(step)) if step.token.is_some());
        step
    }

    /// Runs the caller's function, outside the lock.
    fn updated(&self, intent: &mut Intent<'_>) -> Result<Option<Updated>, Error> {
        let Intent::Update(update) = intent else { return Ok(None) };
        let (current, seen, taken) = {
            let state = self.state();
            let entry = state.live().and_then(|live| live.era().entry(update.key()));
            let seen = entry.map(|entry| entry.stamp());
            (state.value(update.key()), seen, state.pending.revision())
        };
        let value = update.apply(current.as_deref())?;
        Ok(Some(Updated { key: update.key().into(), seen, value, taken }))
    }

    fn commit_step(&self, state: &State, live: &Live, parts: Parts<'_>) -> Result<Step, Error> {
        let now = self.shared().now();
        let operation = self.shared().stamps.next_after(now, live.loaded.record.latest_stamp());
        let mut changes = Changes::new(operation, live.era().id());
        add_pending(&mut changes, state, live, parts.taken);
        if let Some(updated) = parts.updated {
            changes.update(updated.key, updated.seen, Some(updated.value));
        }
        let token = match parts.opens {
            Some(identity) => Some(self.open_era(&mut changes, identity, state, live, now)?),
            None => self.add_upkeep(&mut changes, state, live, now)?,
        };
        if changes.is_empty() {
            return Ok(Step::Nothing);
        }
        // A commit moves the idle deadline at no further cost.
        changes.seen_at(now);
        let max_weight = self.shared().config.max_session_bytes;
        Ok(Step::Commit(Commitment {
            key: *live.token.key(),
            version: live.loaded.version,
            changes,
            options: CommitOptions::default()
                .began(self.0.began)
                .max_weight(max_weight)
                .user_limit(self.shared().config.user_limit()),
            token,
            is_login: parts.opens.is_some_and(NewIdentity::is_login),
            taken: parts.taken,
        }))
    }

    /// Opens the era of a new identity. Answers its token.
    fn open_era(
        &self,
        changes: &mut Changes,
        identity: &NewIdentity,
        state: &State,
        live: &Live,
        now: Timestamp,
    ) -> Result<Token, Error> {
        if state.headers_sent {
            return Err(Error::too_late("the session's new token could be sent"));
        }
        let token = self.next_token(live)?;
        let nonce = random_bytes(&*self.shared().entropy)?;
        let absolute = now + self.shared().config.absolute_timeout;
        let era = live.era();
        let new = |deadline| NewEra::new(nonce, token.verifier(), deadline).keep(identity.keep.clone());
        changes.open_era(match &identity.user {
            NewUser::LoggedIn(user) => new(absolute).user(user.clone(), now),
            NewUser::Same => new(era.hard_deadline()).identity(era.user().cloned(), era.authenticated_at()),
            NewUser::Nobody => new(absolute),
        });
        Ok(token)
    }

    /// What a session needs beside its values: its idle deadline moved, a new secret confirmed, an old one renewed.
    /// Answers the token that a renewal minted.
    fn add_upkeep(
        &self,
        changes: &mut Changes,
        state: &State,
        live: &Live,
        now: Timestamp,
    ) -> Result<Option<Token>, Error> {
        if live.slide_is_due(now) || self.remark_is_due(live) {
            changes.seen_at(now);
        }
        if let Some(generation) = live.to_confirm() {
            changes.confirm(generation, now);
        }
        let due = live.renewal_is_due(&self.shared().config, now).filter(|_| !state.headers_sent);
        let Some(from) = due else { return Ok(None) };
        let token = self.next_token(live)?;
        changes.renew(from, token.verifier(), now);
        Ok(Some(token))
    }

    /// The same key with a new secret.
    fn next_token(&self, live: &Live) -> Result<Token, Error> {
        Ok(Token::new(*live.token.key(), Secret::generate(&*self.shared().entropy)?))
    }

    fn create_step(&self, state: &State, parts: Parts<'_>) -> Result<Step, Error> {
        let user = match parts.opens.map(|identity| &identity.user) {
            Some(NewUser::LoggedIn(user)) => Some(user),
            // There is nothing to renew or to leave.
            Some(_) => return Ok(Step::Nothing),
            None => None,
        };
        if user.is_none() && !parts.begins && parts.updated.is_none() && !has_value(state, parts.taken) {
            return Ok(Step::Nothing);
        }
        if state.headers_sent {
            return Err(Error::too_late("the cookie of a new session could be sent"));
        }
        let token = Token::generate(&*self.shared().entropy)?;
        let mut new = self.new_record(state, &token, parts.taken)?;
        if let Some(user) = user {
            new = new.user(user.clone(), self.shared().now());
        }
        if let Some(updated) = parts.updated {
            new = new.value(updated.key, updated.value);
        }
        let max_weight = self.shared().config.max_session_bytes;
        let options = CreateOptions::default()
            .began(self.0.began)
            .max_weight(max_weight)
            .user_limit(self.shared().config.user_limit());
        Ok(Step::Create(Box::new(Creation {
            token,
            record: Record::create(new),
            options,
            taken: parts.taken,
        })))
    }

    /// A record with what is pending up to `taken`.
    fn new_record(&self, state: &State, token: &Token, taken: Revision) -> Result<NewRecord, Error> {
        let shared = self.shared();
        let now = shared.now();
        let nonce = random_bytes(&*shared.entropy)?;
        let idle = state.pending.idle_timeout_until(taken).unwrap_or(shared.config.idle_timeout);
        let new = NewRecord::new(shared.stamps.next(now), nonce, token.verifier(), now)
            .idle_timeout(idle)
            .hard_deadline(now + shared.config.absolute_timeout);
        let values =
            state.pending.entries_until(taken).filter_map(|(key, value)| Some((key.clone(), value?.clone())));
        Ok(values.fold(new, |new, (key, value)| new.value(key, value)))
    }
}

/// Whether a value is pending that would be stored.
fn has_value(state: &State, taken: Revision) -> bool {
    state.pending.entries_until(taken).any(|(_, value)| value.is_some())
}

/// What is pending up to `taken`, as far as it changes what is stored: to remove what is not there changes nothing.
fn add_pending(changes: &mut Changes, state: &State, live: &Live, taken: Revision) {
    let era = live.era();
    if state.pending.is_cleared_until(taken) {
        for key in era.keys() {
            changes.remove(key.clone());
        }
    }
    for (key, value) in state.pending.entries_until(taken) {
        match value {
            Some(value) => changes.set(key.clone(), value.clone()),
            None if era.value(key).is_some() => changes.remove(key.clone()),
            None => {}
        }
    }
    if let Some(timeout) = state.pending.idle_timeout_until(taken) {
        changes.set_idle_timeout(timeout);
    }
}
