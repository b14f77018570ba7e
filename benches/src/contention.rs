//! Many requests for one session at the same time: how many a second, and how many of their updates are lost.

use std::sync::Arc;
use std::time::Instant;

use anyhow::Context as _;
use axum::Router;

use crate::client;
use crate::kinds::{self, AnyKind};
use crate::options::Contention;
use crate::routes::{Path, OPEN};
use crate::speed::work;

/// What became of the requests of one kind.
pub(crate) struct Contended {
    /// The kind.
    pub(crate) kind: AnyKind,
    /// Requests per second.
    pub(crate) rate: f64,
    /// Of a million updates that were answered with a success, so many are not in the counter.
    pub(crate) lost_of_a_million: f64,
}

/// Measures each kind that keeps sessions.
pub(crate) fn measure(options: &Contention) -> anyhow::Result<Vec<Contended>> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let kinds = kinds::chosen(&options.only)?.into_iter().filter(|kind| kind.remembers());
    kinds.map(|kind| runtime.block_on(contended(kind, options))).collect()
}

async fn contended(kind: AnyKind, options: &Contention) -> anyhow::Result<Contended> {
    let router = kind.router().await?;
    let cookies: Arc<[String]> = [client::open(&router, OPEN).await].into();
    let started = Instant::now();
    let tasks: Vec<_> = (0..options.tasks)
        .map(|_| work(router.clone(), cookies.clone(), Path::Increment, |_| 0, options.length()))
        .map(tokio::spawn)
        .collect();
    let mut requests = 0;
    for task in tasks {
        requests += task.await.context("a task failed")?;
    }
    let rate = requests as f64 / started.elapsed().as_secs_f64();
    let counted = counter(&router, &cookies[0]).await?;
    let lost = requests.saturating_sub(counted) as f64;
    Ok(Contended { kind, rate, lost_of_a_million: lost * 1e6 / requests as f64 })
}

/// What the counter says.
async fn counter(router: &Router, cookie: &str) -> anyhow::Result<u64> {
    let response = client::send(router, client::request(Path::Increment.uri(), Some(cookie))).await;
    let text = axum::body::to_bytes(response.into_body(), 64).await?;
    std::str::from_utf8(&text)?.parse().context("the counter is no number")
}
