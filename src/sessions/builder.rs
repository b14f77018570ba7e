//! How sessions are opened.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use abide_core::{Clock, Entropy, SessionKey, SessionStore, Stamps, SystemClock, SystemEntropy};
use http::Response;
use tokio_util::task::TaskTracker;

use super::Sessions;
use crate::config::{Config, ConfigError};
use crate::cookie::CookieTemplate;
use crate::error::Error;
use crate::event::{Event, Listeners};
use crate::layer::AnswerWith;
use crate::registry::{Operables, Registry, StoreParts};
use crate::route::{Fallbacks, RouteMarks};
use crate::shared::Shared;
use crate::turns::Turns;
use crate::wrappers::{self, Migrating};

/// The store that sessions are moved from.
async fn opened_before(parts: &StoreParts, url: &str) -> Result<Arc<dyn SessionStore>, ConfigError> {
    let opened = parts.open(url).await;
    opened.map_err(|error| ConfigError::new(format!("store_from: {error}")).with_source(error))
}

/// Opens [`Sessions`] with parts of one's own. See [`Config::builder`].
#[derive(Debug)]
#[must_use]
pub struct SessionsBuilder {
    config: Config,
    registry: Registry,
    store: Option<Arc<dyn SessionStore>>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    listeners: Listeners,
    answer: AnswerWith,
    fallbacks: Fallbacks,
}

impl SessionsBuilder {
    pub(crate) fn new(config: Config) -> Self {
        Self {
            config,
            registry: Registry::default(),
            store: None,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
            listeners: Listeners::default(),
            answer: AnswerWith::default(),
            fallbacks: Fallbacks::default(),
        }
    }

    /// Other schemes than those of this build's features.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// A store that is open already; the setting `store` is not looked at then. It gets the same
    /// [wrappers](crate::wrappers) as any other, by the settings.
    pub fn store(mut self, store: Arc<dyn SessionStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another random source than the system's. **For tests**: tokens are as good as it is.
    pub fn entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }

    /// A function that is told of every event. It is called on the request's way: it must be quick and must not block.
    pub fn on_event(mut self, listener: impl Fn(&Event) + Send + Sync + 'static) -> Self {
        self.listeners = Listeners(Some(Arc::new(listener)));
        self
    }

    /// A function that makes a response's head of an error, in place of [`answer`](crate::layer::answer).
    pub fn answer_with(mut self, answer: impl Fn(&Error) -> Response<()> + Send + Sync + 'static) -> Self {
        self.answer = AnswerWith::custom(answer);
        self
    }

    /// Who else can serve a session without a detour, by [node](Config::node), the best first: for a store that keeps
    /// copies on some servers. The route mark then names up to three of them behind this server, so that a balancer
    /// that reads such a list (see [`route`](crate::route)) tries them in this order. It is called where a mark is
    /// written, and must not block.
    ///
    /// It needs [`route_key_file`](Config::route_key_file): nobody knows another server's alias otherwise.
    pub fn fallback_routes(
        mut self,
        nodes: impl Fn(&SessionKey) -> Vec<String> + Send + Sync + 'static,
    ) -> Self {
        self.fallbacks = Fallbacks::new(nodes);
        self
    }

    /// Checks the settings and opens the store.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a wrong setting, and where the store cannot be opened.
    pub async fn open(mut self) -> Result<Sessions, ConfigError> {
        self.config.check()?;
        let parts = StoreParts {
            clock: self.clock.clone(),
            entropy: self.entropy.clone(),
            timeout: self.config.store_timeout,
            registry: self.registry.clone(),
            operables: Operables::default(),
        };
        let store = match self.store.take() {
            Some(store) => store,
            None => parts.open(&self.config.store).await?,
        };
        let store = match &self.config.store_from {
            Some(before) => Arc::new(Migrating::new(opened_before(&parts, before).await?, store)),
            None => store,
        };
        self.over(store, parts.operables)
    }

    /// As [`open`](Self::open), where the store was given: then there is nothing to wait for.
    #[cfg(feature = "testing")]
    pub(crate) fn open_given(mut self) -> Result<Sessions, ConfigError> {
        self.config.check()?;
        let store = self.store.take().ok_or_else(|| ConfigError::new("no store was given"))?;
        self.over(store, Operables::default())
    }

    fn over(self, store: Arc<dyn SessionStore>, operables: Operables) -> Result<Sessions, ConfigError> {
        let store = wrappers::wrapped(store, &self.config, &self.entropy)?;
        if self.config.insecure_http {
            tracing::warn!(
                target: "abide",
                "insecure_http is on: the session cookie is sent over plain http, where anybody can read it"
            );
        }
        let route = RouteMarks::of(&self.config, self.fallbacks)?;
        let writer = abide_core::entropy::random_bytes(&*self.entropy)?;
        Ok(Sessions(Arc::new(Shared {
            cookie: CookieTemplate::of(&self.config),
            route,
            answer: self.answer.with_retry_after(self.config.retry_after),
            config: self.config,
            store,
            operables,
            clock: self.clock,
            entropy: self.entropy,
            stamps: Stamps::new(u64::from_be_bytes(writer)),
            listeners: self.listeners,
            tasks: TaskTracker::new(),
            turns: Turns::new(),
            draining: AtomicBool::new(false),
            commits_at_once: AtomicBool::new(false),
        })))
    }
}
