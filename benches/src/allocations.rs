//! Allocations per request, counted on one thread with everything warm.
//!
//! The requests are built before the count begins, so what is counted is the router, the layer and the handler. The
//! numbers are means over many requests: a store may grow a table in one of them, and some keep house now and then.

use axum::body::Body;
use axum::http::Request;
use axum::Router;
use tokio::runtime::Runtime;

use crate::allocator::{self, Count};
use crate::client;
use crate::kinds::AnyKind;
use crate::routes::Path;

const SESSIONS: u32 = 100;
const WARM_UP: u32 = 1_000;
const REQUESTS: u32 = 2_000;

/// What one request takes from the heap, on average.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PerRequest {
    /// Allocations.
    pub(crate) allocations: f64,
    /// Bytes asked for.
    pub(crate) bytes: f64,
}

/// Counts for each kind on one path, in their order.
pub(crate) fn measure(kinds: impl Iterator<Item = AnyKind>, path: Path) -> anyhow::Result<Vec<PerRequest>> {
    kinds.map(|kind| per_request(kind, path)).collect()
}

fn per_request(kind: AnyKind, path: Path) -> anyhow::Result<PerRequest> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let router = runtime.block_on(kind.router())?;
    let cookies = runtime.block_on(client::open_many(&router, SESSIONS));
    serve(&runtime, &router, requests(path, &cookies, WARM_UP));
    let counted = serve(&runtime, &router, requests(path, &cookies, REQUESTS));
    let mean = |total: u64| total as f64 / f64::from(REQUESTS);
    Ok(PerRequest { allocations: mean(counted.allocations), bytes: mean(counted.allocated) })
}

/// Requests for the sessions in turn.
fn requests(path: Path, cookies: &[String], number: u32) -> Vec<Request<Body>> {
    cookies
        .iter()
        .cycle()
        .take(number as usize)
        .map(|cookie| client::request(path.uri(), Some(cookie)))
        .collect()
}

fn serve(runtime: &Runtime, router: &Router, requests: Vec<Request<Body>>) -> Count {
    allocator::count(|| {
        runtime.block_on(async {
            for request in requests {
                client::send(router, request).await;
            }
        });
    })
}
