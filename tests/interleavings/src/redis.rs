//! Stores on Redis servers.

use std::hash::{BuildHasher as _, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use abide_conformance::interleavings::Stores;
use abide_core::{Clock, ManualClock, Readiness, SessionStore};
use abide_redis::{Address, RedisStore, RedisStoreBuilder};
use tokio::runtime::{Builder, Runtime};
use tokio::time::{sleep, timeout};

use crate::blocking::Blocking;

/// How many handles share a store, as processes do.
const HANDLES: usize = 3;
/// Longer than any run: the plans move a clock of their own, and the server must not clean up by the real one.
const LINGER: Duration = Duration::from_secs(3600);
/// Far longer than a connection takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// A busy machine is no outage.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Plans against stores on the servers of a URL, as the layer would. Each plan has keys of its own.
///
/// # Errors
///
/// Where the URL is none.
///
/// # Panics
///
/// Its plans panic where the servers do not answer.
pub fn redis(url: &str) -> Result<Stores, String> {
    let (scheme, rest) =
        url.split_once(':').ok_or("the store is no URL, expected one such as redis://127.0.0.1:6379")?;
    let address = Address::parse(scheme, rest).map_err(|error| error.to_string())?;
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build();
    let runtime = Arc::new(runtime.map_err(|error| error.to_string())?);
    let (run, plans) = (RandomState::new().hash_one(()), AtomicU64::new(0));
    Ok(Stores::with_handles(move |clock| {
        let prefix = format!("interleavings-{run:x}-{}:", plans.fetch_add(1, Ordering::Relaxed));
        let builder = || RedisStore::builder(address.clone()).prefix(&prefix).linger(LINGER).timeout(TIMEOUT);
        (0..HANDLES).map(|_| handle(&runtime, builder(), &clock)).collect()
    }))
}

fn handle(
    runtime: &Arc<Runtime>,
    builder: RedisStoreBuilder,
    clock: &Arc<ManualClock>,
) -> Arc<dyn SessionStore> {
    let store = runtime.block_on(async {
        let store = builder.clock(clock.clone() as Arc<dyn Clock>).open().expect("the settings are right");
        let up = async {
            while store.ready().await != Readiness::Ready {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, up).await.expect("the servers answer");
        store
    });
    Arc::new(Blocking { store, runtime: runtime.clone() })
}
