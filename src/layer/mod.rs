//! The Tower layer.
//!
//! One request: find our cookie in the header bytes, put a [`Session`](crate::Session) into the extensions, call the
//! service. Nothing is loaded until the handler asks, and nothing is boxed or awaited for a handler that never asks.
//! After the service: where nothing changed, the response passes through; else one commit, then the cookie.
//!
//! | file | role |
//! |---|---|
//! | `layer` | `SessionLayer` |
//! | `service` | the request's way in |
//! | `future` | the response's way out |
//! | `answer` | which response an error becomes |

mod answer;
mod future;
#[allow(clippy::module_inception, reason = "the layer of a middleware is its own role, as in tower")]
mod layer;
mod service;

pub(crate) use answer::AnswerWith;
pub use answer::answer;
pub use future::ResponseFuture;
pub use layer::SessionLayer;
pub use service::SessionService;
