//! Three servers whose sessions are on themselves, beside the same three with one Redis.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;

use abide_harness::Redis as Server;
use async_trait::async_trait;
use axum::extract::Request;
use axum::Router;
use tower::ServiceExt as _;

use super::rig::Rig;
use crate::kinds::abide::Abide;
use crate::kinds::Kind;
use crate::options::Speed;
use crate::redis;

const SERVERS: usize = 3;

/// Several servers behind a load balancer that gives each request to the next one.
struct Several {
    name: &'static str,
    servers: Vec<Abide>,
}

impl Several {
    fn of(name: &'static str, urls: Vec<String>) -> Self {
        Self { name, servers: urls.into_iter().map(|url| Abide::at(name, url)).collect() }
    }
}

#[async_trait]
impl Kind for Several {
    fn name(&self) -> &'static str {
        self.name
    }

    fn remembers(&self) -> bool {
        true
    }

    async fn router(&self) -> anyhow::Result<Router> {
        // All at the same time, for those of a cluster wait for each other.
        let routers = futures_util::future::try_join_all(self.servers.iter().map(Kind::router)).await?;
        let (routers, turn) = (Arc::<[Router]>::from(routers), Arc::new(AtomicUsize::new(0)));
        Ok(Router::new().fallback(move |request: Request| {
            let next = turn.fetch_add(1, Ordering::Relaxed) % routers.len();
            routers[next].clone().oneshot(request)
        }))
    }
}

/// Measures and prints; every ratio is to the servers with Redis.
pub(crate) fn compare(options: &Speed) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (server, rig) = (runtime.block_on(Server::single()), Rig::of(SERVERS)?);
    let kinds = vec![
        redis::kept(Several::of("three servers, redis", vec![server.url(); SERVERS])),
        redis::kept(Several::of("three servers, cluster", rig.urls())),
    ];
    redis::requests(&server.url(), options, runtime, kinds)
}
