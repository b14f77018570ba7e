//! Questions to the cluster that are asked again where nobody knows what came of them: each finds itself then.

use abide_core::{EndReason, Error, ErrorKind, Loaded, SessionKey};
use tokio::time::Instant;

use super::handle::ClusterStore;
use crate::protocol::{Answer, Request, Whose};

impl ClusterStore {
    /// Asks, and where nobody knows what came of it though there is time left, asks once more: then it finds itself, or
    /// that the session is over.
    pub(super) async fn settled(
        &self,
        request: Request,
        again: Request,
        until: Instant,
    ) -> Result<Answer, Error> {
        match self.ask(request, true, until).await {
            Err(error) if error.kind() == ErrorKind::Ambiguous && Instant::now() < until => {
                self.ask(again, true, until).await.map_err(unsettled)
            }
            answer => answer,
        }
    }

    /// The session as a majority of its owners has it.
    pub(super) async fn loaded(&self, key: &SessionKey, until: Instant) -> Result<Option<Loaded>, Error> {
        match self.ask(Request::Load { key: *key }, false, until).await? {
            Answer::Session(session) => {
                if let Some(session) = &session {
                    self.recent().note(key, session);
                }
                Ok(session)
            }
            other => Err(unexpected(&other)),
        }
    }

    /// Ends a session where it is that user's. Answers whether it did.
    pub(super) async fn end_of(
        &self,
        key: SessionKey,
        whose: Whose,
        reason: EndReason,
        until: Instant,
    ) -> Result<bool, Error> {
        let request = Request::EndOf { key, whose, reason };
        match self.settled(request.clone(), request, until).await? {
            Answer::Ended(outcome) => Ok(outcome.was_live),
            other => Err(unexpected(&other)),
        }
    }
}

/// What was in doubt before, or done in part, stays so where it was not asked again.
pub(super) fn in_doubt(error: Error) -> Error {
    if error.kind() == ErrorKind::Unavailable { ambiguous("no answer in time", error) } else { error }
}

/// Who asks again and is refused because the session went on, may have been taken before it did.
fn unsettled(error: Error) -> Error {
    match error.kind() {
        ErrorKind::Superseded | ErrorKind::Ended | ErrorKind::Missing | ErrorKind::Exists => {
            ambiguous("the session went on before it was asked again", error)
        }
        _ => in_doubt(error),
    }
}

fn ambiguous(detail: &'static str, error: Error) -> Error {
    Error::new(ErrorKind::Ambiguous, detail).with_source(error)
}

pub(super) fn unexpected(answer: &Answer) -> Error {
    Error::new(ErrorKind::Unavailable, format!("another kind of answer than asked for: {answer:?}"))
}
