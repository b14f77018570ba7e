//! axum: the session as an extractor, the error as a response.

use axum_core::body::Body;
use axum_core::extract::FromRequestParts;
use axum_core::response::{IntoResponse, Response};
use http::request::Parts;

use crate::error::Error;
use crate::layer::answer;
use crate::session::Session;

/// The session of the innermost layer. Without a layer the request is answered with a 500 that says so.
impl<S: Send + Sync> FromRequestParts<S> for Session {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Error> {
        Self::from_extensions(&parts.extensions)
    }
}

/// The response that [`answer`] gives, or the application's own function: the layer, which knows it, finds the error
/// in the response's extensions.
impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let mut response = answer(&self).map(|()| Body::empty());
        if self.kind() == crate::ErrorKind::MissingLayer {
            *response.body_mut() = Body::from(self.to_string());
        }
        response.extensions_mut().insert(self);
        response
    }
}
