//! What one request knows of its session.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Era, EraId, Loaded, SecretState, SessionKey, Timestamp, Token};

use super::pending::{Pending, Revision};
use crate::config::Config;
use crate::cookie::CookieChange;
use crate::error::Error;

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) identity: Identity,
    pub(super) pending: Pending,
    pub(super) cookie: CookieChange,
    pub(super) headers_sent: bool,
    /// Whether the operation that has its turn, or had the last one, makes a token that the response is to send.
    pub(super) mints: bool,
    /// What was pending when the handler answered: up to here the response speaks for it.
    pub(super) answered: Revision,
    /// The request's cookie counts for nothing any more, whatever the store still says.
    pub(super) logged_out: bool,
}

/// Which session this is.
#[derive(Debug, Default)]
pub(super) enum Identity {
    /// Nobody asked yet.
    #[default]
    Unopened,
    /// None: the first write makes one.
    Empty,
    /// One whose secret was verified.
    Live(Live),
    /// Such a one, whose record was let go for the last commit.
    Left(Left),
    /// One that ended while the request ran.
    Over,
}

/// A session whose secret was verified.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) token: Token,
    pub(super) loaded: Loaded,
    pub(super) secret: SecretState,
}

/// What stays of a session whose record was let go: a store changes a record in place that nobody else holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Left {
    pub(super) token: Token,
    era: EraId,
    secret: SecretState,
}

impl Live {
    /// The era. A store answers only live records; an ended one that slipped through has the registers of none.
    pub(super) fn era(&self) -> &Era {
        self.loaded.record.era().expect("a live session was verified against its era")
    }

    /// Whether the idle deadline is due to move: by a tenth of the timeout, so that reads seldom write.
    pub(super) fn slide_is_due(&self, now: Timestamp) -> bool {
        let era = self.era();
        let step = era.idle_timeout() / 10;
        now.since(era.last_seen()) >= step.max(Duration::from_millis(1))
    }

    /// Whether the session needs a commit for itself.
    pub(super) fn needs_upkeep(&self, config: &Config, now: Timestamp) -> bool {
        self.slide_is_due(now) || self.to_confirm().is_some() || self.renewal_is_due(config, now).is_some()
    }

    /// The newest generation, where it is due for a successor.
    pub(super) fn renewal_is_due(&self, config: &Config, now: Timestamp) -> Option<u32> {
        let secrets = self.era().secrets();
        let due = !config.renew_every.is_zero()
            && self.secret == SecretState::Current
            && now.since(secrets.newest_minted()) >= config.renew_every
            && secrets.has_room();
        due.then(|| secrets.newest())
    }

    /// The generation to confirm, where the client presented a pending secret.
    pub(super) fn to_confirm(&self) -> Option<u32> {
        match self.secret {
            SecretState::Pending(generation) => Some(generation),
            _ => None,
        }
    }
}

impl State {
    pub(super) fn live(&self) -> Option<&Live> {
        match &self.identity {
            Identity::Live(live) => Some(live),
            _ => None,
        }
    }

    pub(super) fn live_mut(&mut self) -> Option<&mut Live> {
        match &mut self.identity {
            Identity::Live(live) => Some(live),
            _ => None,
        }
    }

    /// The key of a session that was found, also where its record was let go.
    pub(super) fn key(&self) -> Option<SessionKey> {
        match &self.identity {
            Identity::Live(live) => Some(*live.token.key()),
            Identity::Left(left) => Some(*left.token.key()),
            _ => None,
        }
    }

    /// That key, and the era in which the request found the session.
    pub(super) fn key_and_era(&self) -> Option<(SessionKey, EraId)> {
        let era = match &self.identity {
            Identity::Live(live) => live.era().id(),
            Identity::Left(left) => left.era,
            _ => return None,
        };
        self.key().map(|key| (key, era))
    }

    /// Lets the record go. What is stored comes [back](Self::go_on_from) with the answer to the commit.
    pub(super) fn let_record_go(&mut self) {
        if let Identity::Live(live) = &self.identity {
            let era = live.era().id();
            self.identity = Identity::Left(Left { token: live.token, era, secret: live.secret });
        }
    }

    /// Goes on from what is stored now.
    pub(super) fn go_on_from(&mut self, loaded: Loaded) -> Option<&mut Live> {
        match &mut self.identity {
            Identity::Live(live) => live.loaded = loaded,
            Identity::Left(left) => {
                let Left { token, secret, .. } = *left;
                self.identity = Identity::Live(Live { token, loaded, secret });
            }
            _ => {}
        }
        self.live_mut()
    }

    /// The bytes under a key: what is pending first, then what is stored.
    pub(super) fn value(&self, key: &str) -> Option<Arc<[u8]>> {
        match self.pending.value(key) {
            Some(said) => said.cloned(),
            None => self.live()?.era().entry(key)?.shared().cloned(),
        }
    }

    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys = BTreeSet::new();
        if let Some(live) = self.live().filter(|_| !self.pending.is_cleared()) {
            keys.extend(live.era().keys().map(|key| key.to_string()));
        }
        for (key, value) in self.pending.entries() {
            if value.is_some() {
                keys.insert(key.to_string());
            } else {
                keys.remove(&**key);
            }
        }
        keys.into_iter().collect()
    }

    pub(super) fn insert(&mut self, key: &str, value: Arc<[u8]>) -> Result<(), Error> {
        if self.headers_sent && matches!(self.identity, Identity::Empty) {
            return Err(Error::too_late("the first write of an empty session"));
        }
        self.pending.insert(key, value);
        Ok(())
    }

    /// The session ended elsewhere: nothing of it is read, written or sent any more.
    pub(super) fn is_over(&mut self) {
        self.identity = Identity::Over;
        self.pending.discard();
        self.cookie = CookieChange::None;
    }
}
