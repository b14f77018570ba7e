//! Loading, and which of several cookies counts.
//!
//! A session is opened when somebody asks: every candidate is loaded, its secret verified, and of those that verify
//! the best is taken. Nothing else of a candidate is ever used: a token that does not verify is never adopted, and
//! nothing is committed to its session.

use abide_core::{LoadOptions, Loaded, Peek, SecretState, Timestamp, Token};

use super::Session;
use super::state::{Identity, Live};
use crate::error::Error;
use crate::event::EventKind;
use crate::sync::Ordering;

impl Session {
    /// Makes sure that the session is loaded.
    pub(super) async fn open(&self) -> Result<(), Error> {
        self.touch();
        if self.is_open() || self.open_by_peeking() {
            return Ok(());
        }
        let _turn = self.0.gate.lock().await;
        self.open_in_turn().await
    }

    /// As [`open`](Self::open), for a caller that holds the gate.
    pub(super) async fn open_in_turn(&self) -> Result<(), Error> {
        if self.is_open() || self.open_by_peeking() {
            return Ok(());
        }
        self.load_candidates(&LoadOptions::default()).await
    }

    /// Loads again, past every cache.
    pub(super) async fn reopen(&self) -> Result<(), Error> {
        self.touch();
        let _turn = self.0.gate.lock().await;
        let token = {
            let state = self.state();
            match &state.identity {
                Identity::Live(live) => Some(live.token),
                Identity::Left(left) => Some(left.token),
                Identity::Over => return Ok(()),
                Identity::Empty if state.logged_out => return Ok(()),
                Identity::Unopened | Identity::Empty => None,
            }
        };
        let options = LoadOptions::default().fresh(true);
        let Some(token) = token else {
            return self.load_candidates(&options).await;
        };
        let loaded = self.shared().store.load(token.key(), &options).await?;
        let live = loaded.and_then(|loaded| self.verify(token, loaded));
        let mut state = self.state();
        match live {
            Some(live) => state.identity = Identity::Live(live),
            None => state.is_over(),
        }
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.opened.load(Ordering::Acquire)
    }

    /// Opens without waiting, where the store can tell; then nothing is boxed.
    pub(super) fn open_by_peeking(&self) -> bool {
        let mut best = None;
        for token in self.0.candidates.tokens() {
            match self.shared().store.peek(token.key()) {
                Peek::Found(loaded) => self.consider(&mut best, token, Some(loaded)),
                Peek::Absent => self.consider(&mut best, token, None),
                _ => return false,
            }
        }
        self.opened(best);
        true
    }

    async fn load_candidates(&self, options: &LoadOptions) -> Result<(), Error> {
        let mut best = None;
        for token in self.0.candidates.tokens() {
            let loaded = self.shared().store.load(token.key(), options).await?;
            self.consider(&mut best, token, loaded);
        }
        self.opened(best);
        Ok(())
    }

    /// Keeps the better of two: signed in beats anonymous, then the later login, then the later creation.
    fn consider(&self, best: &mut Option<Live>, token: Token, loaded: Option<Loaded>) {
        let Some(loaded) = loaded else {
            self.shared().tell(EventKind::UnknownToken, None);
            return;
        };
        let Some(live) = self.verify(token, loaded) else { return };
        if best.as_ref().is_none_or(|best| rank(&live) > rank(best)) {
            *best = Some(live);
        }
    }

    pub(super) fn verify(&self, token: Token, loaded: Loaded) -> Option<Live> {
        let shared = self.shared();
        let era = loaded.record.era()?;
        let secret = era.secrets().check(token.verifier(), self.0.began, shared.config.renew_grace);
        match secret {
            SecretState::Stale => shared.tell(EventKind::StaleToken, Some(*token.key())),
            SecretState::Unknown => shared.tell(EventKind::UnknownToken, Some(*token.key())),
            _ => return Some(Live { token, loaded, secret }),
        }
        None
    }

    fn opened(&self, best: Option<Live>) {
        let mut state = self.state();
        // Another clone may have opened it meanwhile, and changed it since, or logged out of what was found here.
        if matches!(state.identity, Identity::Unopened | Identity::Empty) && !state.logged_out {
            state.identity = best.map_or(Identity::Empty, Identity::Live);
        }
        self.0.opened.store(true, Ordering::Release);
    }
}

fn rank(live: &Live) -> (bool, Option<Timestamp>, Timestamp) {
    let era = live.era();
    (era.user().is_some(), era.authenticated_at(), live.loaded.record.created().at())
}
