//! Why there is no identity.

use std::error::Error;
use std::fmt;

/// Why a secret or certificates cannot be used. It names the file where there is one, and never shows what stands in it.
#[derive(Debug)]
pub struct IdentityError {
    message: String,
    source: Option<Box<dyn Error + Send + Sync>>,
}

impl IdentityError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    pub(super) fn with_source(mut self, source: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for IdentityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for IdentityError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}
