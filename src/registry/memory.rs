//! `memory:`, sessions in this process.
//!
//! Options: `max_sessions`, `max_bytes` (with `KiB`, `MiB` or `GiB`), and `snapshot` (a path) or `handover` (the URL of a store
//! that servers share, in which an `&` is written `%26`).

use std::sync::Arc;
use std::time::Duration;

use abide_core::SessionStore;
use abide_memory::{MemoryStore, MemoryStoreBuilder, SnapshotError};
use async_trait::async_trait;

use super::{Opener, StoreParts, StoreUrl};
use crate::config::{ConfigError, parse_size};
use crate::wrappers::Handover;

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
        let (snapshot, handover) = (url.take("snapshot"), url.take("handover"));
        url.finish()?;
        if snapshot.is_some() && handover.is_some() {
            // What was handed over must not come back by the snapshot.
            return Err(ConfigError::new(
                "store options `snapshot` and `handover` are both set, expected one",
            ));
        }
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
        match handover {
            Some(shared) => handing_over(store, &shared, parts).await,
            None => Ok(Arc::new(store)),
        }
    }
}

async fn handing_over(
    store: MemoryStore,
    shared: &str,
    parts: &StoreParts,
) -> Result<Arc<dyn SessionStore>, ConfigError> {
    let shared = parts
        .open(shared)
        .await
        .map_err(|error| ConfigError::new(format!("store option `handover`: {error}")).with_source(error))?;
    if !shared.capabilities().shared {
        return Err(ConfigError::new(
            "store option `handover` names a store of this process alone, expected one that servers share",
        ));
    }
    Ok(Arc::new(Handover::with(store, shared, parts.clock.clone(), parts.entropy.clone())))
}

fn bounded(url: &mut StoreUrl, builder: MemoryStoreBuilder) -> Result<MemoryStoreBuilder, ConfigError> {
    let number = |text: &str| text.parse().ok();
    let builder = match url.positive("max_sessions", number, "a number of sessions, such as `100000`")? {
        Some(sessions) => builder.max_sessions(sessions),
        None => builder,
    };
    Ok(match url.positive("max_bytes", parse_size, "a number of bytes, such as `256MiB`")? {
        Some(bytes) => builder.max_bytes(bytes),
        None => builder,
    })
}

impl From<SnapshotError> for ConfigError {
    fn from(error: SnapshotError) -> Self {
        Self::new(format!("the session store cannot be opened: {error}")).with_source(error)
    }
}
