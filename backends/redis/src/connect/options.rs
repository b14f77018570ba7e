//! How to talk to the servers.

use std::time::Duration;

/// How to talk to the servers. Every field has a default.
#[derive(Clone, Debug)]
#[must_use]
pub struct LinkOptions {
    pub(super) connect_within: Duration,
    pub(super) heartbeat: Duration,
    pub(super) patience: Duration,
    pub(super) lanes: usize,
    pub(super) roots: Option<Vec<u8>>,
    pub(super) insecure_tls: bool,
}

impl Default for LinkOptions {
    fn default() -> Self {
        Self {
            connect_within: Duration::from_millis(500),
            heartbeat: Duration::from_millis(250),
            patience: Duration::from_millis(250),
            lanes: 16,
            roots: None,
            insecure_tls: false,
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

    /// How long after the loss of a connection operations wait for the next one before they are refused at once: 250 ms
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
}
