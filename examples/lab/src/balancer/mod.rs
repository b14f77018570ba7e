//! A small load balancer: round robin, or a client pinned to its server by a cookie of the balancer's own.
//!
//! It keeps no list of dead servers. A server that refuses a connection is passed over for this request, and the client
//! that was pinned to it is pinned to the next. Only a request that was never sent goes elsewhere; one that broke off may
//! have been served, and is answered 502.

mod choice;
mod forward;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use clap::ValueEnum;
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::wire::Client;

pub(crate) use forward::PIN;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Balancing {
    /// Every request to the next server
    RoundRobin,
    /// A client stays on the server of its first request
    Pinned,
}

#[derive(Debug, Clone)]
struct Upstream {
    name: String,
    address: SocketAddr,
}

#[derive(Debug)]
struct State {
    balancing: Balancing,
    client: Client,
    turn: AtomicUsize,
    servers: RwLock<Arc<[Upstream]>>,
}

/// It stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Balancer {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    task: AbortHandle,
}

impl Balancer {
    pub(crate) async fn start(balancing: Balancing, client: Client) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let servers = RwLock::new(Arc::default());
        let state = Arc::new(State { balancing, client, turn: AtomicUsize::new(0), servers });
        let app = Router::new().fallback(forward::forward).with_state(state.clone());
        let task = tokio::spawn(async move { axum::serve(listener, app).await }).abort_handle();
        Ok(Self { address, state, task })
    }

    pub(crate) fn add(&self, name: &str, address: SocketAddr) {
        let mut servers = self.state.servers.write().unwrap_or_else(PoisonError::into_inner);
        let added = Upstream { name: name.to_owned(), address };
        *servers = servers.iter().cloned().chain([added]).collect();
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl State {
    fn servers(&self) -> Arc<[Upstream]> {
        self.servers.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn next_turn(&self) -> usize {
        self.turn.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::future::ready;

    use http::{Method, StatusCode};
    use tokio::net::TcpSocket;

    use super::*;
    use crate::browser::{Browser, Reply};
    use crate::wire;

    async fn server() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async { axum::serve(listener, Router::new().fallback(|| ready("served"))).await });
        address
    }

    /// A server that is dead: its address is taken for as long as the socket lives, and nobody listens there.
    fn dead() -> (TcpSocket, SocketAddr) {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind((Ipv4Addr::LOCALHOST, 0).into()).unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    /// Takes a connection, and hangs up on the request.
    async fn hanging_up() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let _ = stream.readable().await;
            }
        });
        address
    }

    async fn balancer(balancing: Balancing, servers: &[(&str, SocketAddr)]) -> (Balancer, Browser) {
        let balancer = Balancer::start(balancing, wire::client()).await.unwrap();
        for (name, address) in servers {
            balancer.add(name, *address);
        }
        let browser = Browser::new(balancer.address, wire::client());
        (balancer, browser)
    }

    async fn visit(browser: &Browser) -> Reply {
        browser.send(Method::POST, "/", None).await
    }

    async fn visited(browser: &Browser, times: usize) -> Vec<String> {
        let mut servers = Vec::new();
        for _ in 0..times {
            servers.extend(visit(browser).await.server);
        }
        servers
    }

    #[tokio::test]
    async fn round_robin_sends_each_request_to_the_next_server() {
        let servers = [("a", server().await), ("b", server().await)];
        let (_balancer, browser) = balancer(Balancing::RoundRobin, &servers).await;
        assert_eq!(visited(&browser, 4).await, ["a", "b", "a", "b"]);
    }

    #[tokio::test]
    async fn a_pinned_client_stays() {
        let servers = [("a", server().await), ("b", server().await)];
        let (_balancer, browser) = balancer(Balancing::Pinned, &servers).await;
        assert_eq!(visited(&browser, 3).await, ["a", "a", "a"]);
    }

    #[tokio::test]
    async fn a_pinned_client_moves_for_good_when_its_server_is_gone() {
        let (_dead, gone) = dead();
        let servers = [("a", gone), ("b", server().await), ("c", server().await)];
        let (_balancer, browser) = balancer(Balancing::Pinned, &servers).await;
        browser.accept(&format!("{PIN}=a"));
        let moved = visited(&browser, 3).await;
        assert!(moved[0] != "a" && moved.iter().all(|server| *server == moved[0]), "{moved:?}");
    }

    #[tokio::test]
    async fn a_request_that_broke_off_goes_nowhere_else() {
        let servers = [("a", hanging_up().await), ("b", server().await)];
        let (_balancer, browser) = balancer(Balancing::RoundRobin, &servers).await;
        let reply = visit(&browser).await;
        assert_eq!((reply.status, reply.server.as_deref()), (Some(StatusCode::BAD_GATEWAY), Some("a")));
    }

    #[tokio::test]
    async fn without_a_living_server_the_answer_is_503() {
        let (_dead, gone) = dead();
        let (_balancer, browser) = balancer(Balancing::RoundRobin, &[("a", gone)]).await;
        assert_eq!(visit(&browser).await.status, Some(StatusCode::SERVICE_UNAVAILABLE));
    }
}
