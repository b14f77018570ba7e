//! A store's URL, and the options in it.

use std::collections::BTreeMap;
use std::fmt;

use crate::config::{ConfigError, nearest};

/// A store's URL: `scheme:rest?option=value&…`.
///
/// `Debug` shows the scheme alone, for the rest may hold a password.
pub struct StoreUrl {
    scheme: String,
    rest: String,
    options: BTreeMap<String, String>,
    known: Vec<&'static str>,
    /// Whether the names of the options may be shown.
    shows_names: bool,
}

impl StoreUrl {
    /// Splits a URL.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] where there is no scheme, or an option stands twice.
    pub fn parse(url: &str) -> Result<Self, ConfigError> {
        let scheme = scheme_of(url)
            .ok_or_else(|| ConfigError::new("store has no scheme, expected a URL such as `memory:`"))?;
        let after = &url[scheme.len() + 1..];
        let (rest, query) = after.split_once('?').unwrap_or((after, ""));
        let mut url = Self {
            scheme: scheme.to_ascii_lowercase(),
            rest: rest.into(),
            options: BTreeMap::new(),
            known: Vec::new(),
            // An `@` behind the `?` may be the end of a password that has a `?` in it.
            shows_names: !query.contains('@'),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()).into_owned() {
            if url.options.contains_key(&name) {
                return Err(ConfigError::new(format!("{} stands twice", url.named(&name))));
            }
            url.options.insert(name, value);
        }
        Ok(url)
    }

    /// An option as an error names it.
    fn named(&self, name: &str) -> String {
        if self.shows_names {
            format!("store option `{name}`")
        } else {
            "an option of the store (a `?` in a user or a password is written `%3F`)".into()
        }
    }

    /// The scheme, in lower case.
    #[must_use]
    pub fn scheme(&self) -> &str {
        &self.scheme
    }

    /// What stands between the scheme's colon and the options.
    #[must_use]
    pub fn rest(&self) -> &str {
        &self.rest
    }

    /// Takes the value of an option.
    pub fn take(&mut self, name: &'static str) -> Option<String> {
        self.known.push(name);
        self.options.remove(name)
    }

    #[cfg(any(feature = "memory", feature = "cluster", feature = "redis"))]
    /// Takes an option that is a number above zero, as `read` reads it; an error says what was `expected`.
    pub(super) fn positive(
        &mut self,
        name: &'static str,
        read: impl Fn(&str) -> Option<usize>,
        expected: &str,
    ) -> Result<Option<usize>, ConfigError> {
        let Some(text) = self.take(name) else { return Ok(None) };
        match read(&text).filter(|number| *number > 0) {
            Some(number) => Ok(Some(number)),
            None => Err(ConfigError::new(format!("store option `{name}` is {text:?}, expected {expected}"))),
        }
    }

    /// Refuses what was not taken.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the first option that is left, and the nearest of those that were asked for.
    pub fn finish(self) -> Result<(), ConfigError> {
        let Some(name) = self.options.keys().next() else { return Ok(()) };
        let (scheme, named) = (&self.scheme, self.named(name));
        Err(ConfigError::new(match nearest(name, self.known.iter().copied()) {
            Some(meant) => format!("{named} is unknown for `{scheme}:`, did you mean `{meant}`?"),
            None => format!("{named} is unknown: `{scheme}:` takes none"),
        }))
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "StoreUrl({}:…)", self.scheme)
    }
}

fn scheme_of(url: &str) -> Option<&str> {
    let (scheme, _) = url.split_once(':')?;
    let valid = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(valid)).then_some(scheme)
}

/// The URL as it may be shown: its scheme alone.
pub(crate) fn redacted(url: &str) -> String {
    match scheme_of(url) {
        Some(scheme) => format!("{scheme}:…"),
        None => "…".into(),
    }
}
