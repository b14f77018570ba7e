//! The wrappers that the settings ask for, in the order that the [module](super) states.

use std::sync::Arc;

use abide_core::{Entropy, SessionStore};

use super::{ConcurrencyLimit, Timeout};
use crate::config::{Config, ConfigError};

/// `store` within its wrappers.
pub(crate) fn wrapped(
    mut store: Arc<dyn SessionStore>,
    config: &Config,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<dyn SessionStore>, ConfigError> {
    if let Some(after) = config.store_timeout {
        store = Arc::new(Timeout::new(store, after));
    }
    if let Some(at_once) = config.store_concurrency {
        store = Arc::new(limited(store, at_once, config));
    }
    encrypted(store, config, entropy)
}

/// What waits its turn is not held for longer than what is under way.
fn limited(store: Arc<dyn SessionStore>, at_once: usize, config: &Config) -> ConcurrencyLimit {
    let mut limit = ConcurrencyLimit::new(store, at_once);
    if let Some(waiting) = config.store_queue {
        limit = limit.queue(waiting);
    }
    match config.store_timeout {
        Some(after) => limit.wait_at_most(after),
        None => limit,
    }
}

#[cfg(feature = "encryption")]
fn encrypted(
    store: Arc<dyn SessionStore>,
    config: &Config,
    entropy: &Arc<dyn Entropy>,
) -> Result<Arc<dyn SessionStore>, ConfigError> {
    use super::{Encrypted, KeyRing};

    let Some(path) = &config.encryption_key_file else { return Ok(store) };
    let keys = KeyRing::from_file(path)?;
    Ok(Arc::new(Encrypted::new(store, keys).entropy(entropy.clone())))
}

/// The settings were checked: without the feature there is no key file.
#[cfg(not(feature = "encryption"))]
fn encrypted(
    store: Arc<dyn SessionStore>,
    _: &Config,
    _: &Arc<dyn Entropy>,
) -> Result<Arc<dyn SessionStore>, ConfigError> {
    Ok(store)
}
