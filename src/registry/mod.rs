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

//!
//! | file | role |
//! |---|---|
//! | `mod` | the registry |
//! | `url` | a store's URL, and the options in it |
//! | `operable` | what operators ask of stores that are open |
//! | `memory`, `cluster`, `redis` | how the URLs of each strategy are read |

#[cfg(feature = "cluster")]
mod cluster;
#[cfg(feature = "memory")]
mod memory;
mod operable;
#[cfg(feature = "redis")]
mod redis;
mod url;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Clock, Entropy, SessionStore};
use async_trait::async_trait;

pub use operable::Operable;
pub(crate) use operable::Operables;
pub use url::StoreUrl;
pub(crate) use url::redacted;

use crate::config::ConfigError;

/// Schemes that a feature of this crate adds: so that an error can name the feature.
const FEATURES: &[(&str, &[&str])] = &[("memory", &["memory"]), ("cluster", &["cluster"]), ("redis", REDIS)];
/// One server, over TCP, TLS or a Unix socket; a Sentinel set; a Cluster.
const REDIS: &[&str] =
    &["redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"];

/// The part of `store_timeout` that one operation may take: the store answers before the wrapper that enforces it.
#[cfg(any(feature = "cluster", feature = "redis"))]
const SHARE_OF_TIMEOUT: f64 = 0.9;

/// An option that is not what it should be.
#[cfg(any(feature = "cluster", feature = "redis"))]
fn wrong(name: &str, value: &str, expected: &str) -> ConfigError {
    ConfigError::new(format!("store option `{name}` is {value:?}, expected {expected}"))
}

/// What a store says of a setting of its own that is wrong: what would be accepted, and no secret.
#[cfg(any(feature = "cluster", feature = "redis"))]
fn refused(error: impl fmt::Display) -> ConfigError {
    ConfigError::new(format!("the session store cannot be opened: {error}"))
}

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
    /// How long one operation may take, where the settings say so: when this is over, somebody else answers in the
    /// store's place, and knows less than the store does.
    pub timeout: Option<Duration>,
    /// The random source.
    pub entropy: Arc<dyn Entropy>,
    pub(crate) registry: Registry,
    pub(crate) operables: Operables,
}

impl StoreParts {
    /// Offers what an operator may ask of the store that is opened with these parts.
    pub fn offer(&self, store: Arc<dyn Operable>) {
        self.operables.add(store);
    }

    /// Opens another store, by its URL: for one that works together with it.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a scheme that is unknown, and where the store cannot be opened.
    pub async fn open(&self, url: &str) -> Result<Arc<dyn SessionStore>, ConfigError> {
        self.registry.open(url, self).await
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
        #[cfg(feature = "cluster")]
        let registry = registry.with("cluster", cluster::Cluster);
        #[cfg(feature = "redis")]
        let registry = REDIS.iter().fold(registry, |registry, scheme| registry.with(scheme, redis::Redis));
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
        if let Some((feature, _)) = FEATURES.iter().find(|(_, schemes)| schemes.contains(&scheme)) {
            return ConfigError::new(format!(
                "store scheme `{scheme}:` needs the feature `{feature}` of abide"
            ));
        }
        let known: Vec<_> = self.0.keys().map(|known| format!("`{known}:`")).collect();
        let known = if known.is_empty() { "none in this build".into() } else { known.join(", ") };
        ConfigError::new(format!("store scheme `{scheme}:` is unknown, expected one of: {known}"))
    }
}
