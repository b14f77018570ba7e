//! Clients that send requests to a service under the layer: each to a server of its own, all over one store.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abide::{Config, Session, Sessions};
use abide_conformance::interleavings::{
    Abilities, Client, Cookie, Driver, GRACE, Handler, History, IDLE, LIFE, Network, Plan, Post, RENEW_EVERY,
    Response, Rng, START, Setup, Traffic, interleaved,
};
use abide_core::{ErrorKind, ManualClock, SeededEntropy, SessionStore, Token, async_trait};
use abide_memory::MemoryStore;
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use tower::{Layer as _, ServiceExt as _, service_fn};

use crate::session::{Handled, kind_of};

const COOKIE_NAME: &str = "__Host-id";
/// How far a sleeper's time moves at once.
const NAP: Duration = Duration::from_millis(120);

/// The error in whose place a response stands.
#[derive(Clone, Copy)]
struct Failed(ErrorKind);

/// A client of a server under the layer.
struct LayerClient {
    sessions: Sessions,
    traffic: Traffic,
}

impl LayerClient {
    async fn open(network: Network, clock: Arc<ManualClock>, seed: u64, keeps_on_error: bool) -> Self {
        let config = Config::new()
            .idle_timeout(IDLE)
            .absolute_timeout(LIFE)
            .renew_every(RENEW_EVERY)
            .renew_grace(GRACE)
            .keep_on_server_error(keeps_on_error);
        let traffic = network.traffic();
        let builder = config.builder().store(Arc::new(network)).clock(clock);
        let builder = builder.entropy(Arc::new(SeededEntropy::new(seed))).answer_with(|error| {
            let mut response = http::Response::new(());
            *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
            response.extensions_mut().insert(Failed(kind_of(error)));
            response
        });
        let sessions = builder.open().await.expect("these settings are right");
        Self { sessions, traffic }
    }
}

#[async_trait]
impl Client for LayerClient {
    async fn request(&self, token: Option<Token>, handler: Handler) -> Response {
        let mut request = Request::new(());
        if let Some(token) = token {
            let cookie = format!("{COOKIE_NAME}={}", token.encode());
            request.headers_mut().insert(COOKIE, HeaderValue::try_from(cookie).expect("base64url"));
        }
        let handler = Mutex::new(Some(handler));
        let service = service_fn(|request: Request<()>| {
            let session = Session::of(&request).expect("there is a layer");
            let handler = handler.lock().ok().and_then(|mut handler| handler.take());
            let handled = handler.expect("one request")(Arc::new(Handled(session)));
            async move {
                let mut response = http::Response::new(());
                if !handled.await {
                    *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                }
                Ok::<_, Infallible>(response)
            }
        });
        // The scheduler takes the turns; tokio's own measure for them would only spoil the order.
        let call = self.sessions.layer().layer(service).oneshot(request);
        let Ok(response) = tokio::task::unconstrained(call).await;
        let failed = response.extensions().get::<Failed>().map(|failed| failed.0);
        Response { failed, cookie: cookie_of(response.headers()) }
    }

    fn traffic(&self) -> &Traffic {
        &self.traffic
    }
}

fn cookie_of(headers: &HeaderMap) -> Cookie {
    let Some(cookie) = headers.get(SET_COOKIE).and_then(|value| value.to_str().ok()) else {
        return Cookie::None;
    };
    let value = cookie.split([';', '=']).nth(1).unwrap_or_default();
    match Token::parse(value.as_bytes()) {
        Ok(token) if !cookie.contains("Max-Age=0") => Cookie::Set(token),
        _ => Cookie::Removed,
    }
}

/// Clients for a plan, each with a server of its own over `store`.
pub async fn layer_setup(plan: &Plan, clock: &Arc<ManualClock>, store: Arc<dyn SessionStore>) -> Setup {
    let (mut rng, post) = (Rng::new(plan.seed ^ 0x1A7E), Post::default());
    let mut clients: Vec<Arc<dyn Client>> = Vec::new();
    for _ in &plan.clients {
        let draws = Rng::new(rng.next_u64());
        let network = Network::new(store.clone(), draws, plan.faults, plan.peeks, post.clone());
        let client = LayerClient::open(network, clock.clone(), rng.next_u64(), plan.keeps_on_error);
        clients.push(Arc::new(client.await));
    }
    Setup::new(clients, clock.clone(), post, Abilities::default())
}

/// Carries out plans through the layer, over memory stores, on this thread and in a time of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Layers;

impl Driver for Layers {
    fn abilities(&self) -> Abilities {
        Abilities::default()
    }

    fn carry_out(&self, plan: &Plan) -> History {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime without I/O").block_on(async {
            let clock = Arc::new(ManualClock::at(START));
            let store = Arc::new(MemoryStore::builder().clock(clock.clone()).build());
            let setup = layer_setup(plan, &clock, store).await;
            let pass = Box::new(|| -> abide_conformance::interleavings::Boxed<()> {
                Box::pin(tokio::time::advance(NAP))
            });
            interleaved(plan, setup.pass(pass)).await
        })
    }
}
