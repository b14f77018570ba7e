//! One operation: from intent to commit.
//!
//! An operation looks at what is loaded, makes a step of it (a creation or changes), and takes the step to the store.
//! Where another request came between, the store answers with what is stored now, and the operation makes a new step
//! of that. Where the answer was lost, the same step is asked again; the store applies it once.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    EndReason, EraId, ErrorKind as StoreKind, Keep, LoadOptions, Loaded, Name, SecretState, SessionKey,
    SessionStore, Token,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Session;
use super::json;
use super::protect::Protected;
use super::state::{Identity, Live};
use super::step::{Commitment, Creation, Step};
use crate::cookie::CookieChange;
use crate::error::Error;
use crate::event::EventKind;
use crate::sync::Ordering;
use crate::turns::Turn;

/// How often a step is made anew before the caller hears of the conflict: far more than requests of one session.
const MOST_STEPS: u32 = 1_000;
/// From which step on one waits before the next, so that a crowd thins out.
const PATIENT_FROM: u32 = 8;
/// How often a step whose answer was lost is asked again.
const MOST_RETRIES: u32 = 3;
const RETRY_AFTER: Duration = Duration::from_millis(50);

/// What an operation wants beside committing what is pending.
pub(super) enum Intent<'a> {
    Save,
    /// Stores an empty session.
    Begin,
    Update(&'a mut (dyn Update + 'a)),
    Open(&'a NewIdentity),
}

/// Who the session is for from now on.
pub(super) struct NewIdentity {
    pub(super) user: NewUser,
    pub(super) keep: Keep,
}

impl NewIdentity {
    pub(super) fn is_login(&self) -> bool {
        matches!(self.user, NewUser::LoggedIn(_))
    }
}

pub(super) enum NewUser {
    /// A user proved who they are.
    LoggedIn(Arc<str>),
    /// Whoever it was, with a new token.
    Same,
    /// Nobody any more.
    Nobody,
}

/// A change that depends on the value as it is.
pub(super) trait Update: Send {
    fn key(&self) -> &str;
    fn apply(&mut self, current: Option<&[u8]>) -> Result<Arc<[u8]>, Error>;
}

/// An [`Update`] of a typed value.
pub(super) struct Updater<T, F> {
    key: Name,
    f: F,
    result: Option<T>,
}

impl<T, F> Updater<T, F> {
    pub(super) fn new(key: &str, f: F) -> Self {
        Self { key: key.into(), f, result: None }
    }

    pub(super) fn into_result(self) -> Result<T, Error> {
        self.result.ok_or_else(|| StoreKind::Conflict.into())
    }
}

impl<T: Serialize + DeserializeOwned + Send, F: FnMut(Option<T>) -> T + Send> Update for Updater<T, F> {
    fn key(&self) -> &str {
        &self.key
    }

    fn apply(&mut self, current: Option<&[u8]>) -> Result<Arc<[u8]>, Error> {
        let current = current.map(|bytes| json::decode(&self.key, bytes)).transpose()?;
        let next = (self.f)(current);
        let bytes = json::encode(&self.key, &next)?;
        self.result = Some(next);
        Ok(bytes)
    }
}

/// What an attempt without waiting came to.
pub(super) enum Tried {
    Done(Result<(), Error>),
    /// The store or another operation must be waited for. Nothing was done; the step is the one to go on with, where
    /// one was made of a record that was let go.
    Waits(Option<Box<Commitment>>),
}

impl Session {
    /// Carries out an operation. Where the caller is dropped, what was sent to the store is finished.
    pub(super) async fn write(&self, intent: &mut Intent<'_>) -> Result<(), Error> {
        match self.try_write(intent, false) {
            Tried::Done(result) => result,
            Tried::Waits(step) => self.write_with(intent, step, true).await,
        }
    }

    /// The last write of a request, as far as it needs no waiting and so no future to keep. Nobody looks at the session
    /// afterwards, unless a clone is left. Where the store must be waited for, the record is kept for another step.
    pub(super) fn save_and_leave(&self) -> Tried {
        let leaves = self.is_alone() && self.shared().commits_at_once.load(Ordering::Relaxed);
        self.try_write(&mut Intent::Save, leaves)
    }

    /// Goes on with the last write of a request, for a caller that is protected as a whole.
    pub(super) async fn save_after(&self, step: Option<Box<Commitment>>) -> Result<(), Error> {
        self.write_with(&mut Intent::Save, step, false).await
    }

    /// Whoever `leaves` lets its record go for the commit, so that the store changes it in place.
    fn try_write(&self, intent: &mut Intent<'_>, leaves: bool) -> Tried {
        self.touch();
        let Ok(_turn) = self.0.gate.try_lock() else { return Tried::Waits(None) };
        if !self.is_open() && !self.open_by_peeking() {
            return Tried::Waits(None);
        }
        for _ in 0..PATIENT_FROM {
            let step = match self.next_step(intent) {
                Ok(Step::Commit(step)) => step,
                Ok(Step::Nothing) => return Tried::Done(Ok(())),
                Ok(Step::Create(_)) => return Tried::Waits(None),
                Err(error) => return Tried::Done(Err(error)),
            };
            if leaves {
                self.state().let_record_go();
            }
            let answer =
                self.shared().store.try_commit(&step.key, step.version, &step.changes, &step.options);
            self.shared().note_commit(answer.is_some());
            let mut error = match answer {
                Some(Ok(loaded)) => {
                    self.committed(&step, loaded);
                    return Tried::Done(Ok(()));
                }
                Some(Err(error)) => error,
                None => return Tried::Waits(leaves.then(|| Box::new(step))),
            };
            if error.kind() != StoreKind::Conflict {
                return Tried::Done(Err(self.failed(error)));
            }
            let Some(current) = error.take_current() else {
                return Tried::Waits(leaves.then(|| Box::new(step)));
            };
            if let Err(error) = self.go_on_from(current, step.changes.era()) {
                return Tried::Done(Err(error));
            }
        }
        Tried::Waits(None)
    }

    /// Goes on with `step`, where there is one.
    async fn write_with(
        &self,
        intent: &mut Intent<'_>,
        step: Option<Box<Commitment>>,
        protect: bool,
    ) -> Result<(), Error> {
        let _turn = self.0.gate.lock().await;
        self.open_in_turn().await?;
        let mut made = step.map(|step| Step::Commit(*step));
        let mut turn = None;
        for attempt in 0..MOST_STEPS {
            let step = match made.take() {
                Some(step) => step,
                None => self.next_step(intent)?,
            };
            match self.take(step, protect).await {
                Err(error) if error.kind() == StoreKind::Conflict => {
                    if turn.is_none() {
                        turn = self.take_turn().await;
                    }
                    self.look_again(error).await?;
                }
                Err(error) if error.kind() == StoreKind::Exists => {}
                other => {
                    if let Some(turn) = turn.take() {
                        turn.end(!matches!(&other, Err(error) if error.is_transient()));
                    }
                    return other.map_err(|error| self.failed(error));
                }
            }
            be_patient(attempt).await;
        }
        Err(StoreKind::Conflict.into())
    }

    /// Queues up behind the requests of this process that lost to others at the same session.
    async fn take_turn(&self) -> Option<Turn<'_>> {
        let key = self.state().key()?;
        Some(self.shared().turns.take(&key).await)
    }

    async fn take(&self, step: Step, protect: bool) -> Result<(), abide_core::Error> {
        let store = self.shared().store.clone();
        match step {
            Step::Nothing => {}
            Step::Create(step) => {
                let call = async move { create(&*store, &step).await.map(|loaded| (loaded, step)) };
                let (loaded, step) = self.call(call, protect).await?;
                self.created(&step, loaded);
            }
            Step::Commit(step) => {
                let step = Box::new(step);
                let call = async move { commit(&*store, &step).await.map(|loaded| (loaded, step)) };
                let (loaded, step) = self.call(call, protect).await?;
                self.committed(&step, loaded);
            }
        }
        Ok(())
    }

    /// Asks the store: protected, so that a caller who is dropped leaves the question to finish.
    async fn call<T: Send + 'static>(
        &self,
        call: impl Future<Output = Result<T, abide_core::Error>> + Send + 'static,
        protect: bool,
    ) -> Result<T, abide_core::Error> {
        if protect { Protected::new(call).run(&self.shared().tasks).await } else { call.await }
    }

    fn created(&self, step: &Creation, loaded: Loaded) {
        let key = *step.token.key();
        let ended = loaded.ended().to_vec();
        let live = Live { token: step.token, loaded, secret: SecretState::Current };
        let signed_in = live.era().user().is_some();
        {
            let mut state = self.state();
            state.pending.settle(step.taken);
            state.cookie = CookieChange::Set { token: step.token, life: self.life_of(&live) };
            state.identity = Identity::Live(live);
        }
        self.shared().tell(EventKind::Created, Some(key));
        if signed_in {
            self.shared().tell(EventKind::LoggedIn, Some(key));
        }
        self.tell_of_the_limit(&ended);
    }

    /// Says which sessions of the same user a login ended.
    fn tell_of_the_limit(&self, ended: &[SessionKey]) {
        for key in ended {
            self.shared().tell(EventKind::Ended(EndReason::Limit), Some(*key));
        }
    }

    fn committed(&self, step: &Commitment, loaded: Loaded) {
        let ended = loaded.ended().to_vec();
        let minted = {
            let mut state = self.state();
            state.pending.settle(step.taken);
            let Some(live) = state.go_on_from(loaded) else { return };
            if step.changes.new_era().is_some() || matches!(live.secret, SecretState::Pending(_)) {
                live.secret = SecretState::Current;
            }
            let minted = step.token.filter(|token| self.is_good(live, token));
            if let Some(token) = minted {
                if step.changes.new_era().is_some() {
                    live.token = token;
                }
                let life = self.life_of(live);
                state.cookie = CookieChange::Set { token, life };
            }
            if minted.is_none() {
                self.remark(&mut state);
            }
            minted
        };
        if minted.is_some() {
            self.shared().tell(step.token_event(), Some(step.key));
        }
        self.tell_of_the_limit(&ended);
    }

    /// Whether a token that a commit was to make good is. Of two renewals at once one minted; the other's token is
    /// good for nothing, and is not sent.
    fn is_good(&self, live: &Live, token: &Token) -> bool {
        let secrets = live.era().secrets();
        secrets.check(token.verifier(), self.shared().now(), self.shared().config.renew_grace).is_good()
    }

    pub(super) fn life_of(&self, live: &Live) -> Duration {
        live.era().hard_deadline().since(self.shared().now())
    }

    /// Another request came between: goes on from what is stored now, unless a login came between.
    async fn look_again(&self, mut conflict: abide_core::Error) -> Result<(), Error> {
        let Some((key, era)) = self.state().key_and_era() else { return Ok(()) };
        let current = match conflict.take_current() {
            Some(current) => Some(current),
            None => self.shared().store.load(&key, &LoadOptions::default().fresh(true)).await?,
        };
        match current {
            Some(current) => self.go_on_from(current, era),
            None => Err(self.failed(StoreKind::Ended.into())),
        }
    }

    /// Goes on from what another request left, unless that is the end or another era than `era`.
    fn go_on_from(&self, current: Loaded, era: EraId) -> Result<(), Error> {
        let now = current.record.era().map(|now| now.id());
        if now != Some(era) {
            let kind = if now.is_none() { StoreKind::Ended } else { StoreKind::Superseded };
            return Err(self.failed(kind.into()));
        }
        self.state().go_on_from(current);
        Ok(())
    }

    /// Notes what an error says about the session.
    fn failed(&self, error: abide_core::Error) -> Error {
        let key = self.state().key();
        if error.is_over() {
            self.state().is_over();
        } else if error.kind() == StoreKind::Superseded {
            self.shared().tell(EventKind::Superseded, key);
        }
        error.into()
    }
}

async fn create(store: &dyn SessionStore, step: &Creation) -> Result<Loaded, abide_core::Error> {
    let mut retries = 0;
    loop {
        let answer = store.create(step.token.key(), step.record.clone(), &step.options).await;
        if !is_asked_again(&answer, &mut retries).await {
            return in_doubt(answer, retries);
        }
    }
}

async fn commit(store: &dyn SessionStore, step: &Commitment) -> Result<Loaded, abide_core::Error> {
    let mut retries = 0;
    loop {
        let options = step.options.retry(retries > 0);
        let answer = store.commit(&step.key, step.version, &step.changes, &options).await;
        if !is_asked_again(&answer, &mut retries).await {
            return in_doubt(answer, retries);
        }
    }
}

/// Whether a question is asked again, because its answer was lost. Waits before it says so.
async fn is_asked_again(answer: &Result<Loaded, abide_core::Error>, retries: &mut u32) -> bool {
    let lost = matches!(answer, Err(error) if error.kind() == StoreKind::Ambiguous);
    if !lost || *retries == MOST_RETRIES {
        return false;
    }
    *retries += 1;
    tokio::time::sleep(RETRY_AFTER * *retries).await;
    true
}

/// Where asking again was refused, what was asked before may have happened all the same: nobody may hear that nothing
/// was written.
fn in_doubt(answer: Result<Loaded, abide_core::Error>, retries: u32) -> Result<Loaded, abide_core::Error> {
    answer.map_err(|error| match error.kind() {
        StoreKind::Unavailable if retries > 0 => {
            abide_core::Error::new(StoreKind::Ambiguous, "asking again was refused").with_source(error)
        }
        _ => error,
    })
}

/// Lets others go first; after some steps for longer.
async fn be_patient(attempt: u32) {
    if attempt < PATIENT_FROM {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(Duration::from_millis(u64::from(attempt.min(20)))).await;
    }
}
