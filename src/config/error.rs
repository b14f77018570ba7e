//! The error of configuration: one clear line.

use std::error::Error as StdError;
use std::fmt;

/// A setting is unknown or wrong, or the store could not be opened.
///
/// The message is one line; it names the setting and says what would be accepted. It never carries the value of the
/// store's URL, for that may hold a password.
#[derive(Debug)]
pub struct ConfigError {
    message: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl ConfigError {
    /// An error with this message: lower case, without a full stop. For the schemes of other crates.
    pub fn new(message: impl Into<String>) -> Self {
        // One line, whatever a parser put into its message.
        let message = message.into().split_whitespace().collect::<Vec<_>>().join(" ");
        Self { message, source: None }
    }

    /// Names the cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for ConfigError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_deref().map(|source| source as _)
    }
}

impl From<abide_core::Error> for ConfigError {
    fn from(error: abide_core::Error) -> Self {
        Self::new(format!("the session store cannot be opened: {error}")).with_source(error)
    }
}

/// The known name that is nearest to `name`.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}
