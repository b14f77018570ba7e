//! Which scheme of a store's URL opens which store.
//!
//! A [`Registry`] is a value, not a global: [`Registry::default`] has the schemes of this build's features, and other
//! crates add theirs.
//!
//! ```
//! use abide::core::SessionStore;
//! use abide::registry::{Opener, StoreParts, StoreUrl};
//! use abide::{Config, ConfigError, Registry};
//! use std::sync::Arc;
//!
//! #[derive(Debug)]
//! struct Mine;
//!
//! #[abide::core::async_trait]
//! impl Opener for Mine {
//!     async fn open(&self, url: StoreUrl, parts: &StoreParts) -> Result<Arc<dyn SessionStore>, ConfigError> {
//!         url.finish()?; // no options
//!         # let _ = parts;
//!         Err(ConfigError::new("not today"))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let registry = Registry::default().with("mine", Mine);
//! let error = Config::new().store("mine:").builder().registry(registry).open().await.unwrap_err();
//! assert_eq!(error.to_string(), "not today");
//! # }
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use abide_core::{Clock, SessionStore};
use async_trait::async_trait;

use crate::config::{ConfigError, nearest};

/// Schemes that a feature of this crate adds: so that an error can name the feature.
const FEATURES: &[(&str, &str)] = &[("memory", "memory")];

/// Opens the store of one scheme.
#[async_trait]
pub trait Opener: Send + Sync + fmt::Debug + 'static {
    /// Opens the store that `url` names. An option that is unknown must be refused: [`StoreUrl::finish`] does.
    async fn open(&self, url: StoreUrl, parts: &StoreParts) -> Result<Arc<dyn SessionStore>, ConfigError>;
}

/// What a store is opened with.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreParts {
    /// The clock.
    pub clock: Arc<dyn Clock>,
}

impl StoreParts {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

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

/// Which scheme opens which store.
#[derive(Clone, Debug)]
#[must_use]
pub struct Registry(BTreeMap<String, Arc<dyn Opener>>);

impl Default for Registry {
    fn default() -> Self {
        let registry = Self(BTreeMap::new());
        #[cfg(feature = "memory")]
        let registry = registry.with("memory", memory::Memory);
        registry
    }
}

impl Registry {
    /// Adds a scheme, in place of an earlier one of the same name.
    pub fn with(mut self, scheme: &str, opener: impl Opener) -> Self {
        self.0.insert(scheme.to_ascii_lowercase(), Arc::new(opener));
        self
    }

    pub(crate) async fn open(
        &self,
        url: &str,
        parts: &StoreParts,
    ) -> Result<Arc<dyn SessionStore>, ConfigError> {
        let url = StoreUrl::parse(url)?;
        let Some(opener) = self.0.get(url.scheme()) else {
            return Err(self.unknown(url.scheme()));
        };
        opener.open(url, parts).await
    }

    fn unknown(&self, scheme: &str) -> ConfigError {
        if let Some((_, feature)) = FEATURES.iter().find(|(known, _)| *known == scheme) {
            return ConfigError::new(format!(
                "store scheme `{scheme}:` needs the feature `{feature}` of abide"
            ));
        }
        let known: Vec<_> = self.0.keys().map(|known| format!("`{known}:`")).collect();
        let known = if known.is_empty() { "none in this build".into() } else { known.join(", ") };
        ConfigError::new(format!("store scheme `{scheme}:` is unknown, expected one of: {known}"))
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

#[cfg(feature = "memory")]
mod memory {
    //! `memory:`, sessions in this process.
    //!
    //! Options: `max_sessions`, `max_bytes` (with `KiB`, `MiB` or `GiB`), `snapshot` (a path).

    use std::sync::Arc;
    use std::time::Duration;

    use abide_core::SessionStore;
    use abide_memory::{MemoryStore, MemoryStoreBuilder, SnapshotError};
    use async_trait::async_trait;

    use super::{Opener, StoreParts, StoreUrl};
    use crate::config::{ConfigError, parse_size};

    /// How often a quiet store lets go of expired sessions.
    const SWEEP_EVERY: Duration = Duration::from_secs(10);

    #[derive(Debug)]
    pub(super) struct Memory;

    #[async_trait]
    impl Opener for Memory {
        async fn open(
            &self,
            mut url: StoreUrl,
            parts: &StoreParts,
        ) -> Result<Arc<dyn SessionStore>, ConfigError> {
            if !url.rest().is_empty() {
                return Err(ConfigError::new("store `memory:` takes no address, expected `memory:`"));
            }
            let builder = bounded(&mut url, MemoryStore::builder().clock(parts.clock.clone()))?;
            let snapshot = url.take("snapshot");
            url.finish()?;
            let store = match snapshot {
                Some(path) if path.is_empty() => {
                    return Err(ConfigError::new(
                        "store option `snapshot` is empty, expected the path of a file",
                    ));
                }
                Some(path) => builder.snapshot(path).open().await?,
                None => builder.build(),
            };
            store.keep_swept(SWEEP_EVERY);
            Ok(Arc::new(store))
        }
    }

    fn bounded(url: &mut StoreUrl, builder: MemoryStoreBuilder) -> Result<MemoryStoreBuilder, ConfigError> {
        let number = |text: &str| text.parse().ok();
        let builder = match positive(url, "max_sessions", number, "a number of sessions, such as `100000`")? {
            Some(sessions) => builder.max_sessions(sessions),
            None => builder,
        };
        Ok(match positive(url, "max_bytes", parse_size, "a number of bytes, such as `256MiB`")? {
            Some(bytes) => builder.max_bytes(bytes),
            None => builder,
        })
    }

    fn positive(
        url: &mut StoreUrl,
        name: &'static str,
        read: impl Fn(&str) -> Option<usize>,
        expected: &str,
    ) -> Result<Option<usize>, ConfigError> {
        let Some(text) = url.take(name) else { return Ok(None) };
        match read(&text).filter(|number| *number > 0) {
            Some(number) => Ok(Some(number)),
            None => Err(ConfigError::new(format!("store option `{name}` is {text:?}, expected {expected}"))),
        }
    }

    impl From<SnapshotError> for ConfigError {
        fn from(error: SnapshotError) -> Self {
            Self::new(format!("the session store cannot be opened: {error}")).with_source(error)
        }
    }
}
