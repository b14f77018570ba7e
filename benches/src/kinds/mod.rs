//! What is compared. A new kind is one file here and one line in [`ALL`].

pub(crate) mod abide;
pub(crate) mod axum_session;
mod floor;
pub(crate) mod tower_sessions;

use std::time::Duration;

use abide_core::{Readiness, SessionStore};
use async_trait::async_trait;
use axum::Router;

/// One way to have sessions.
#[async_trait]
pub(crate) trait Kind: Sync {
    /// Its name in the report.
    fn name(&self) -> &'static str;

    /// Whether it keeps what a request wrote; the floor does not.
    fn remembers(&self) -> bool;

    /// A router with the [`Handlers`](crate::routes::Handlers) of this kind and a new, empty store.
    ///
    /// The runtime that calls it is the one that serves the requests.
    async fn router(&self) -> anyhow::Result<Router>;
}

/// A kind as it is passed around.
pub(crate) type AnyKind = &'static dyn Kind;

/// All kinds, the floor first: every ratio is taken to the first.
static ALL: &[AnyKind] = &[
    &floor::Floor,
    &abide::IN_PROCESS,
    &tower_sessions::WithMemoryStore,
    &tower_sessions::WithMokaStore,
    &axum_session::InMemory,
];

/// The floor, and the kinds whose names contain one of `only`, or all of them if it is empty.
///
/// A part that no name contains is an error: a typing error must not pass for a measurement.
pub(crate) fn chosen(only: &[String]) -> anyhow::Result<Vec<AnyKind>> {
    if let Some(part) = only.iter().find(|part| !ALL.iter().any(|kind| kind.name().contains(*part))) {
        let names: Vec<_> = ALL.iter().map(|kind| kind.name()).collect();
        anyhow::bail!("no kind's name contains {part:?}; the kinds are: {}", names.join("; "));
    }
    let wanted = |kind: &AnyKind| only.is_empty() || only.iter().any(|part| kind.name().contains(part));
    Ok(ALL.iter().copied().filter(|kind| !kind.remembers() || wanted(kind)).collect())
}

/// Waits for a store: one over a network is there a moment after it was opened, and one of a cluster once it has found
/// the others.
pub(crate) async fn until_ready(store: &dyn SessionStore) -> anyhow::Result<()> {
    for _ in 0..6_000 {
        if store.ready().await == Readiness::Ready {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    anyhow::bail!("the session store is not ready after half a minute");
}
