//! What every test stands on: sessions over a real store, a clock that is moved by hand, a network that fails on
//! demand, and clients that keep their cookie.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use abide::core::{LoadOptions, Loaded, ManualClock, SessionStore as _, SystemEntropy, Token};
use abide::event::EventKind;
use abide::{Config, Session, Sessions, SessionsBuilder, testing};
use abide_harness::Faults;
use abide_memory::MemoryStore;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{COOKIE, SET_COOKIE};
use http::{HeaderMap, Request, StatusCode};
use http_body_util::BodyExt as _;
use tower::{Layer as _, ServiceExt as _, service_fn};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);

pub(crate) type Store = Faults<MemoryStore>;

/// Sessions, and what is behind them.
pub(crate) struct Stage {
    pub(crate) sessions: Sessions,
    pub(crate) store: Arc<Store>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) events: Events,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Config::new()).await
    }

    pub(crate) async fn with(config: Config) -> Self {
        Self::built(config, |builder| builder).await
    }

    pub(crate) async fn built(
        config: Config,
        build: impl FnOnce(SessionsBuilder) -> SessionsBuilder,
    ) -> Self {
        let mut parts = None;
        let stage = testing::Stage::built(config, |builder, clock| {
            let memory = MemoryStore::builder().clock(clock.clone()).build();
            let store = Arc::new(Faults::new(memory));
            parts = Some((store.clone(), clock.clone()));
            build(builder.store(store).entropy(Arc::new(SystemEntropy)))
        });
        let (store, clock) = parts.unwrap();
        Self { sessions: stage.sessions().clone(), store, clock, events: Events(stage) }
    }

    /// Another server over the same store: it shares nothing else.
    pub(crate) async fn another_server(&self, config: Config) -> Sessions {
        config.builder().store(self.store.clone()).clock(self.clock.clone()).open().await.unwrap()
    }

    /// A client without a cookie.
    pub(crate) fn client(&self) -> Client {
        Client::of(&self.sessions)
    }

    /// A client whose session has the value 1 under `n`, and nobody signed in.
    pub(crate) async fn visitor(&self) -> Client {
        let mut client = self.client();
        client.ask(async |session| session.insert("n", &1)).await.is_ok();
        client
    }

    /// A client who is signed in.
    pub(crate) async fn user(&self, name: &str) -> Client {
        let mut client = self.client();
        client.log_in(name).await.is_ok();
        client
    }

    /// What the store has of a client's session.
    pub(crate) async fn stored(&self, client: &Client) -> Option<Loaded> {
        self.store.load(client.token().key(), &LoadOptions::default()).await.unwrap()
    }
}

/// The events so far of the first server.
pub(crate) struct Events(testing::Stage);

impl Events {
    /// The events since the last time, in order.
    pub(crate) fn take(&self) -> Vec<EventKind> {
        self.0.take_events().iter().map(|event| event.kind).collect()
    }

    /// Forgets what came before.
    pub(crate) fn clear(&self) {
        self.take();
    }
}

/// A browser: it keeps the cookie that it is given and sends it back.
#[derive(Clone)]
pub(crate) struct Client {
    sessions: Sessions,
    /// `name=value`, as it is sent.
    pub(crate) cookie: Option<String>,
}

impl Client {
    pub(crate) fn of(sessions: &Sessions) -> Self {
        Self { sessions: sessions.clone(), cookie: None }
    }

    /// The same browser with its own copy of the cookie: a second tab, or a request under way while the cookie changes.
    pub(crate) fn tab(&self) -> Self {
        self.clone()
    }

    /// The same browser at another server.
    pub(crate) fn at(&self, sessions: &Sessions) -> Self {
        Self { sessions: sessions.clone(), ..self.clone() }
    }

    /// The token of the cookie.
    pub(crate) fn token(&self) -> Token {
        let cookie = self.cookie.as_ref().expect("the client has a cookie");
        Token::parse(cookie.split_once('=').unwrap().1.as_bytes()).unwrap()
    }

    /// Sends a request to the layer around `handler`, and keeps the cookie of the answer.
    pub(crate) async fn ask<F, H, R>(&mut self, handler: F) -> Answer
    where
        F: FnOnce(Session) -> H,
        H: Future<Output = R>,
        R: IntoResponse,
    {
        let mut request = Request::new(Body::empty());
        if let Some(cookie) = &self.cookie {
            request.headers_mut().insert(COOKIE, cookie.parse().unwrap());
        }
        let answer = ask(&self.sessions, request, handler).await;
        self.keep(&answer);
        answer
    }

    /// Takes the cookie that an answer sets, as a browser does.
    pub(crate) fn keep(&mut self, answer: &Answer) {
        for cookie in answer.set_cookies() {
            let pair = cookie.split(';').next().unwrap();
            self.cookie = (!cookie.contains("Max-Age=0")).then(|| pair.to_owned());
        }
    }

    pub(crate) async fn log_in(&mut self, name: &str) -> Answer {
        self.ask(async |session| session.log_in(name).await).await
    }

    pub(crate) async fn log_out(&mut self) -> Answer {
        self.ask(async |session| session.log_out().await).await
    }

    pub(crate) async fn insert(&mut self, key: &str, value: i64) -> Answer {
        self.ask(async |session| session.insert(key, &value)).await
    }

    /// The number under a key.
    pub(crate) async fn get(&mut self, key: &str) -> Option<i64> {
        let mut found = None;
        self.ask(async |session| session.get(key).await.map(|value| found = value)).await.is_ok();
        found
    }

    /// Who is signed in.
    pub(crate) async fn name(&mut self) -> Option<String> {
        let mut found = None;
        self.ask(async |session| session.user().await.map(|user| found = user)).await.is_ok();
        found.map(|user| user.to_string())
    }
}

/// Sends one request to the layer around `handler`.
pub(crate) async fn ask<F, H, R>(sessions: &Sessions, request: Request<Body>, handler: F) -> Answer
where
    F: FnOnce(Session) -> H,
    H: Future<Output = R>,
    R: IntoResponse,
{
    let mut handler = Some(handler);
    let service = service_fn(|request: Request<Body>| {
        let session = Session::of(&request).unwrap();
        let call = handler.take().expect("one request")(session);
        async move { Ok::<_, Infallible>(call.await.into_response()) }
    });
    let Ok(response) = sessions.layer().layer(service).oneshot(request).await;
    Answer::of(response)
}

/// One answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    body: Body,
}

impl Answer {
    pub(crate) fn of(response: Response) -> Self {
        let (head, body) = response.into_parts();
        Self { status: head.status, headers: head.headers, body }
    }

    /// Checks that the request succeeded.
    #[track_caller]
    pub(crate) fn is_ok(&self) {
        assert!(self.status.is_success(), "{self:?}");
    }

    pub(crate) fn set_cookies(&self) -> Vec<String> {
        let headers = self.headers.get_all(SET_COOKIE).iter();
        headers.map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn text(self) -> String {
        let bytes = self.body.collect().await.unwrap().to_bytes();
        String::from_utf8(bytes.into()).unwrap()
    }
}

/// Polls a future once: what is ready at once is answered.
pub(crate) async fn poll_once<T>(mut future: Pin<&mut impl Future<Output = T>>) -> Option<T> {
    poll_fn(|context| match future.as_mut().poll(context) {
        Poll::Ready(output) => Poll::Ready(Some(output)),
        Poll::Pending => Poll::Ready(None),
    })
    .await
}
