//! Why a store was not opened.

use std::fmt;

use crate::transport::{self, IdentityError, SettingsError};

/// Why a store was not opened: a setting that is wrong, or an address that cannot be listened on. That peers are away is
/// none.
#[derive(Debug)]
pub struct OpenError(Reason);

#[derive(Debug)]
enum Reason {
    Setting(String),
    Transport(transport::OpenError),
    Entropy(getrandom::Error),
}

impl OpenError {
    pub(super) fn setting(what: impl Into<String>) -> Self {
        Self(Reason::Setting(what.into()))
    }
}

impl From<transport::OpenError> for OpenError {
    fn from(error: transport::OpenError) -> Self {
        Self(Reason::Transport(error))
    }
}

impl From<SettingsError> for OpenError {
    fn from(error: SettingsError) -> Self {
        Self::setting(error.to_string())
    }
}

impl From<IdentityError> for OpenError {
    fn from(error: IdentityError) -> Self {
        Self::setting(error.to_string())
    }
}

impl From<getrandom::Error> for OpenError {
    fn from(error: getrandom::Error) -> Self {
        Self(Reason::Entropy(error))
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Setting(what) => f.write_str(what),
            Reason::Transport(error) => error.fmt(f),
            Reason::Entropy(_) => f.write_str("the system has no randomness"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Reason::Setting(_) => None,
            Reason::Transport(error) => error.source(),
            Reason::Entropy(error) => Some(error),
        }
    }
}
