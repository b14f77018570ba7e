//! The session of a request.

use http::{Extensions, Request};

use super::Session;
use crate::error::Error;
use crate::sync::Ordering;

impl Session {
    /// The session of a request: that of the innermost layer.
    ///
    /// # Errors
    ///
    /// [`MissingLayer`](crate::ErrorKind::MissingLayer) where the request did not pass one.
    ///
    /// ```
    /// use abide::Session;
    /// use http::{Request, Response};
    ///
    /// async fn hello(request: Request<()>) -> Result<Response<String>, abide::Error> {
    ///     let session = Session::of(&request)?;
    ///     Ok(Response::new(format!("visit {}", session.increment("visits", 1).await?)))
    /// }
    /// ```
    pub fn of<B>(request: &Request<B>) -> Result<Self, Error> {
        Self::from_extensions(request.extensions())
    }

    /// The session whose layer was configured with this cookie name (without its prefix), where layers nest.
    ///
    /// # Errors
    ///
    /// [`MissingLayer`](crate::ErrorKind::MissingLayer) where the request did not pass such a layer.
    ///
    /// ```
    /// use abide::Session;
    /// use http::Request;
    ///
    /// fn admin_session(request: &Request<()>) -> Result<Session, abide::Error> {
    ///     Session::named(request, "admin")
    /// }
    /// assert!(admin_session(&Request::new(())).is_err());
    /// ```
    pub fn named<B>(request: &Request<B>, cookie_name: &str) -> Result<Self, Error> {
        Self::from_extensions_named(request.extensions(), cookie_name)
    }

    /// As [`Session::of`], from the request's extensions.
    ///
    /// # Errors
    ///
    /// As [`Session::of`].
    pub fn from_extensions(extensions: &Extensions) -> Result<Self, Error> {
        extensions.get::<Self>().cloned().ok_or_else(|| Error::missing_layer(None))
    }

    /// As [`Session::named`], from the request's extensions.
    ///
    /// # Errors
    ///
    /// As [`Session::named`].
    pub fn from_extensions_named(extensions: &Extensions, cookie_name: &str) -> Result<Self, Error> {
        let mut session = extensions.get::<Self>();
        while let Some(found) = session {
            if found.shared().config.cookie_name == cookie_name {
                return Ok(found.clone());
            }
            session = found.0.outer.get();
        }
        Err(Error::missing_layer(Some(cookie_name)))
    }

    /// Puts the session into a request, around the one of an outer layer.
    pub(crate) fn put_into(&self, extensions: &mut Extensions) {
        if let Some(outer) = extensions.insert(self.clone()) {
            if self.0.candidates.presented() {
                outer.0.is_around.store(true, Ordering::Relaxed);
            }
            // A fresh session: nobody else can have set it.
            let _ = self.0.outer.set(outer);
        }
    }
}
