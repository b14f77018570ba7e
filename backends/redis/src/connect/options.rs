//! How to talk to the servers.

use std::fmt;
use std::time::Duration;

use super::Watcher;

/// How to talk to the servers. Every field has a default.
#[derive(Clone)]
#[must_use]
pub struct LinkOptions {
    pub(super) connect_within: Duration,
    pub(super) heartbeat: Duration,
    pub(super) patience: Duration,
    pub(super) lanes: usize,
    pub(super) roots: Option<Vec<u8>>,
    pub(super) insecure_tls: bool,
    pub(super) sentinel_user: Option<String>,
    pub(super) sentinel_password: Option<String>,
    pub(super) watcher: Option<Watcher>,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            connect_within: Duration::from_millis(500),
            heartbeat: Duration::from_millis(250),
            patience: Duration::from_millis(500),
            lanes: 16,
            roots: None,
            insecure_tls: false,
            sentinel_user: None,
            sentinel_password: None,
            watcher: None,
        }
    }
}

impl LinkOptions {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// How long one attempt to connect may take, greeting and login included: 500 ms by default.
    pub fn connect_within(mut self, within: Duration) -> Self {
        self.connect_within = within;
        self
    }

    /// How often a connection is asked whether it lives: every 250 ms by default. Three in a row without an answer, and
    /// it is replaced.
    pub fn heartbeat(mut self, every: Duration) -> Self {
        self.heartbeat = every;
        self
    }

    /// How long after the loss of a connection operations wait for the next one before they are refused at once: 500 ms
    /// by default.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How many connections each server may have for operations that wait for replicas: 16 by default.
    pub fn lanes(mut self, lanes: usize) -> Self {
        self.lanes = lanes.max(1);
        self
    }

    /// The certificates to trust, as PEM, in place of the system's.
    pub fn tls_roots(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots = Some(pem.into());
        self
    }

    /// Allows an address that ends in `#insecure`: TLS that takes any certificate. Whoever stands between here and the
    /// server reads and writes every session; for tests only.
    pub fn allow_insecure_tls(mut self, allow: bool) -> Self {
        self.insecure_tls = allow;
        self
    }

    /// Who logs in at the sentinels: by default nobody does. The login of the address is that of the servers.
    pub fn sentinel_login(mut self, user: Option<String>, password: impl Into<String>) -> Self {
        self.sentinel_user = user;
        self.sentinel_password = Some(password.into());
        self
    }

    /// Who hears what happens to the shared connections.
    pub fn watcher(mut self, watcher: Watcher) -> Self {
        self.watcher = Some(watcher);
        self
    }
}

/// Shows no password.
impl fmt::Debug for LinkOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LinkOptions")
            .field("connect_within", &self.connect_within)
            .field("heartbeat", &self.heartbeat)
            .field("patience", &self.patience)
            .field("lanes", &self.lanes)
            .field("insecure_tls", &self.insecure_tls)
            .finish_non_exhaustive()
    }
}
