//! The layer itself.

use std::sync::Arc;

use tower_layer::Layer;

use super::SessionService;
use crate::shared::Shared;

/// Gives every request of a service a [`Session`](crate::Session). Made by [`Sessions::layer`](crate::Sessions::layer).
///
/// It is one type whatever the store, works for any body, and may be used for several services at once. Two layers with
/// different cookie names nest: [`Session::named`](crate::Session::named) finds the outer one's session.
///
/// The response's body must have a [`Default`], for a commit that fails replaces the handler's response.
#[derive(Clone, Debug)]
#[must_use]
pub struct SessionLayer {
    shared: Arc<Shared>,
}

impl SessionLayer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }
}

impl<S> Layer<S> for SessionLayer {
    type Service = SessionService<S>;

    fn layer(&self, inner: S) -> SessionService<S> {
        SessionService::new(self.shared.clone(), inner)
    }
}
