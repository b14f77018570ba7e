//! Whom requests go to, as a load balancer decides it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use http::{Method, StatusCode};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::browser::Browser;

const BETWEEN_LOOKS: Duration = Duration::from_millis(50);
const PATIENCE: Duration = Duration::from_secs(30);
/// A server that has not answered by then takes no requests.
const LOOK: Duration = Duration::from_millis(500);

/// The servers that take requests, one after the other.
#[derive(Clone, Debug)]
pub struct Rotation(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    servers: Arc<Vec<Server>>,
    turn: AtomicUsize,
    /// Those who look. They go with the rotation.
    _looks: JoinSet<()>,
}

#[derive(Debug)]
struct Server {
    address: SocketAddr,
    is_up: AtomicBool,
}

impl Rotation {
    /// Always all of these, whatever they say.
    #[must_use]
    pub fn all(addresses: &[SocketAddr]) -> Self {
        Self::new(servers(addresses, true), JoinSet::new())
    }

    /// Those of these that say that they are ready, looked at again and again. Waits until one does.
    ///
    /// # Panics
    ///
    /// Where nobody does within half a minute.
    pub async fn ready(addresses: &[SocketAddr]) -> Self {
        let (servers, mut looks) = (servers(addresses, false), JoinSet::new());
        for (n, address) in addresses.iter().enumerate() {
            looks.spawn(look_at(Browser::new(*address), servers.clone(), n));
        }
        let rotation = Self::new(servers, looks);
        let someone = timeout(PATIENCE, async {
            while rotation.next().is_none() {
                sleep(BETWEEN_LOOKS).await;
            }
        });
        someone.await.expect("somebody is ready");
        rotation
    }

    fn new(servers: Arc<Vec<Server>>, looks: JoinSet<()>) -> Self {
        Self(Arc::new(Inner { servers, turn: AtomicUsize::new(0), _looks: looks }))
    }

    /// Whose turn it is, if anybody takes requests.
    pub(super) fn next(&self) -> Option<SocketAddr> {
        let servers = &self.0.servers;
        (0..servers.len()).find_map(|_| {
            let server = &servers[self.0.turn.fetch_add(1, Ordering::Relaxed) % servers.len()];
            server.is_up.load(Ordering::Relaxed).then_some(server.address)
        })
    }
}

fn servers(addresses: &[SocketAddr], is_up: bool) -> Arc<Vec<Server>> {
    let server = |address: &SocketAddr| Server { address: *address, is_up: AtomicBool::new(is_up) };
    Arc::new(addresses.iter().map(server).collect())
}

async fn look_at(mut browser: Browser, servers: Arc<Vec<Server>>, n: usize) {
    loop {
        let look = timeout(LOOK, browser.try_send(Method::GET, "/ready", "")).await;
        let is_up = matches!(look, Ok(Ok(answer)) if answer.status == StatusCode::OK);
        servers[n].is_up.store(is_up, Ordering::Relaxed);
        sleep(BETWEEN_LOOKS).await;
    }
}
