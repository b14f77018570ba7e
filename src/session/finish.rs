//! What happens after the handler: one commit of what is pending, and what the session needs for itself.

use std::task::{Context, Poll};

use abide_core::ErrorKind as StoreKind;
use http::StatusCode;

use super::Session;
use super::protect::Protected;
use super::state::Identity;
use super::write::Tried;
use crate::config::Touch;
use crate::cookie::CookieChange;
use crate::error::{Error, ErrorKind};
use crate::event::EventKind;

/// What is left to do once the handler answered.
pub(crate) enum Finish {
    /// Nothing: nobody asked for the session, and there is no cookie to send.
    Untouched,
    /// Nothing more: this came of it.
    Done(Result<(), Error>),
    /// The store must be waited for.
    Waits(Waiting),
}

/// The commit after the handler, under way.
pub(crate) type Waiting = Protected<Result<(), Error>>;

impl Session {
    /// Commits what is left once the handler answered with `status`: at once where the store need not be waited for.
    pub(crate) fn finish(&self, status: StatusCode) -> Finish {
        if !self.is_touched() && !self.is_visit() && self.close_untouched() {
            return Finish::Untouched;
        }
        self.finish_touched(status)
    }

    /// Out of the way of a request that never asked.
    #[inline(never)]
    fn finish_touched(&self, status: StatusCode) -> Finish {
        let work = self.work(status);
        let tried = if work.is_some() { self.save_and_leave() } else { Tried::Done(Ok(())) };
        let asked = work.unwrap_or_default();
        match tried {
            Tried::Done(result) if self.close() => Finish::Done(self.finished(asked, result)),
            tried => Finish::Waits(self.wait(asked, tried)),
        }
    }

    fn wait(&self, asked: bool, tried: Tried) -> Waiting {
        let session = self.clone();
        Protected::new(async move {
            let result = match tried {
                Tried::Done(result) => result,
                Tried::Waits(step) => session.save_after(step).await,
            };
            while !session.close() {
                drop(session.0.gate.lock().await);
            }
            session.finished(asked, result)
        })
    }

    /// Lets the headers go for a session that nobody asked for. Asked again under the lock: a clone's first write
    /// either was seen here, or finds the headers gone.
    fn close_untouched(&self) -> bool {
        let mut state = self.state();
        state.headers_sent = !self.is_touched();
        state.headers_sent
    }

    /// Lets the headers go, unless a clone is under way that needs the cookie: with the first write of a session, a
    /// login or a renewal.
    fn close(&self) -> bool {
        let mut state = self.state();
        let needed = state.mints || matches!(state.identity, Identity::Unopened | Identity::Empty);
        state.headers_sent = !needed || self.0.gate.try_lock().is_ok();
        state.headers_sent
    }

    /// What the response has to say about the cookie. The headers are gone, also for a body that asks for the session
    /// only now.
    pub(crate) fn take_cookie(&self) -> CookieChange {
        let mut state = self.state();
        // It was committed, or refused by the answer, or came to nothing, as the removal of what is not there does.
        let answered = state.answered;
        state.pending.settle(answered);
        std::mem::take(&mut state.cookie)
    }

    pub(crate) fn poll_finish(&self, finish: &mut Waiting, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        finish.poll(cx, &self.shared().tasks)
    }

    pub(crate) fn response_parts(&self) -> (&crate::cookie::CookieTemplate, &crate::layer::AnswerWith) {
        (&self.shared().cookie, &self.shared().answer)
    }

    /// Whether an untouched request slides the idle deadline.
    fn is_visit(&self) -> bool {
        self.shared().config.touch == Touch::Visit && self.0.candidates.presented()
    }

    /// Whether there is something to write, and then whether anybody asked for it: what a session needs for itself,
    /// nobody did.
    fn work(&self, status: StatusCode) -> Option<bool> {
        let mut state = self.state();
        if status.is_server_error() && !self.shared().config.keep_on_server_error {
            state.pending.discard();
        }
        state.answered = state.pending.revision();
        let asked = !state.pending.is_empty();
        let work = match &state.identity {
            Identity::Unopened => asked || self.is_visit(),
            Identity::Empty => state.pending.has_value(),
            Identity::Over => asked,
            Identity::Left(_) => false,
            Identity::Live(live) => {
                asked || live.needs_upkeep(&self.shared().config, self.0.began) || self.remark_is_due(live)
            }
        };
        work.then_some(asked)
    }

    /// What the commit came to for the request.
    fn finished(&self, asked: bool, result: Result<(), Error>) -> Result<(), Error> {
        let Err(error) = result else { return Ok(()) };
        let key = self.state().key();
        let ErrorKind::Store(kind) = error.kind() else { return Err(error) };
        // An end or another login is an event of its own.
        if !error.is_over() && kind != StoreKind::Superseded {
            let event = if asked { EventKind::CommitFailed(kind) } else { EventKind::SlideFailed(kind) };
            self.shared().tell(event, key);
        }
        // What nobody asked for must not make the request suffer.
        if asked { Err(error) } else { Ok(()) }
    }
}
