//! What happens after the handler: one commit of what is pending, and what the session needs for itself.

use std::task::{Context, Poll};

use abide_core::ErrorKind as StoreKind;
use http::StatusCode;

use super::Session;
use super::protect::Protected;
use super::state::Identity;
use super::write::Intent;
use crate::config::Touch;
use crate::cookie::CookieChange;
use crate::error::{Error, ErrorKind};
use crate::event::EventKind;

/// The commit after the handler.
pub(crate) type Finish = Protected<Result<(), Error>>;

impl Session {
    /// What is left to do once the handler answered with `status`; `None` where there is nothing to wait for.
    pub(crate) fn finish(&self, status: StatusCode) -> Option<Finish> {
        if !self.is_touched() && !self.is_visit() {
            return None;
        }
        {
            let mut state = self.state();
            if status.is_server_error() && !self.shared().config.keep_on_server_error {
                state.pending.discard();
            }
            state.answered = state.pending.revision();
        }
        if !self.has_work() {
            return None;
        }
        let session = self.clone();
        Some(Protected::new(async move { session.finish_up().await }))
    }

    /// What the response has to say about the cookie. From here on the headers are gone, also for a body that asks for
    /// the session only now.
    pub(crate) fn close_headers(&self) -> CookieChange {
        let mut state = self.state();
        state.headers_sent = true;
        // It was committed, or refused by the answer, or came to nothing, as the removal of what is not there does.
        let answered = state.answered;
        state.pending.settle(answered);
        std::mem::take(&mut state.cookie)
    }

    pub(crate) fn poll_finish(&self, finish: &mut Finish, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        finish.poll(cx, &self.shared().tasks)
    }

    pub(crate) fn response_parts(&self) -> (&crate::cookie::CookieTemplate, &crate::layer::AnswerWith) {
        (&self.shared().cookie, &self.shared().answer)
    }

    /// Whether an untouched request slides the idle deadline.
    fn is_visit(&self) -> bool {
        self.shared().config.touch == Touch::Visit && self.0.candidates.presented()
    }

    fn has_work(&self) -> bool {
        let state = self.state();
        match &state.identity {
            Identity::Unopened => !state.pending.is_empty() || self.is_visit(),
            Identity::Empty => state.pending.has_value(),
            Identity::Over => !state.pending.is_empty(),
            Identity::Live(live) => {
                let now = self.0.began;
                !state.pending.is_empty()
                    || live.slide_is_due(now)
                    || live.to_confirm().is_some()
                    || live.renewal_is_due(&self.shared().config, now).is_some()
            }
        }
    }

    async fn finish_up(&self) -> Result<(), Error> {
        let asked = !self.state().pending.is_empty();
        let result = self.write_unprotected(&mut Intent::Save).await;
        let Err(error) = result else { return Ok(()) };
        let key = self.state().live().map(|live| *live.token.key());
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
