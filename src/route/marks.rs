//! The marks of one server.

use std::fmt;
use std::sync::Arc;

use abide_core::SessionKey;

use super::RouteKey;
use crate::config::{Config, ConfigError, Route};
use crate::cookie::CookieTemplate;

/// How many other servers a mark names: a cookie is small, and a balancer that found four of them down tries any.
const MOST_FALLBACKS: usize = 3;

type Nodes = dyn Fn(&SessionKey) -> Vec<String> + Send + Sync;

/// Who else can serve a session.
#[derive(Clone, Default)]
pub(crate) struct Fallbacks(Option<Arc<Nodes>>);

impl Fallbacks {
    pub(crate) fn new(nodes: impl Fn(&SessionKey) -> Vec<String> + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(nodes)))
    }
}

impl fmt::Debug for Fallbacks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "the application's" } else { "none" })
    }
}

/// What marks look like, of a server that writes some.
#[derive(Debug)]
pub(crate) struct RouteMarks {
    alias: String,
    /// Of the mark's own cookie; a suffix has none.
    cookie: Option<CookieTemplate>,
    fallbacks: Option<(RouteKey, Fallbacks)>,
}

impl RouteMarks {
    /// Those that the settings ask for. They were checked.
    pub(crate) fn of(config: &Config, fallbacks: Fallbacks) -> Result<Option<Self>, ConfigError> {
        let cookie = match config.route {
            Route::Off => return Ok(None),
            Route::Cookie => Some(CookieTemplate::named(&config.route_cookie, config)),
            Route::Suffix => None,
        };
        let key = config.route_key_file.as_ref().map(RouteKey::from_file).transpose()?;
        let alias = match (&config.route_alias, &key) {
            (Some(alias), _) => alias.clone(),
            (None, Some(key)) => key.alias(config.node_name().unwrap_or_default()),
            (None, None) => return Err(ConfigError::new("route is on without an alias")),
        };
        let fallbacks = match (fallbacks.0.is_some(), key) {
            (false, _) => None,
            (true, Some(key)) => Some((key, fallbacks)),
            (true, None) => return Err(ConfigError::new("fallback routes need route_key_file")),
        };
        Ok(Some(Self { alias, cookie, fallbacks }))
    }

    /// This server's alias.
    pub(crate) fn alias(&self) -> &str {
        &self.alias
    }

    /// The mark's own cookie, unless it is a suffix.
    pub(crate) fn cookie(&self) -> Option<&CookieTemplate> {
        self.cookie.as_ref()
    }

    /// Whether a mark names this server first. What follows is not looked at: the balancer needs no newer list while the
    /// first of it serves.
    pub(crate) fn are_ours(&self, mark: &[u8]) -> bool {
        let first = memchr::memchr(b'.', mark).unwrap_or(mark.len());
        mark[..first] == *self.alias.as_bytes()
    }

    /// The mark of a session: this server, then those that can take over.
    pub(crate) fn mark(&self, key: &SessionKey) -> String {
        let mut mark = self.alias.clone();
        for alias in self.others(key) {
            mark.push('.');
            mark.push_str(&alias);
        }
        mark
    }

    fn others(&self, key: &SessionKey) -> Vec<String> {
        let Some((secret, Fallbacks(Some(nodes)))) = &self.fallbacks else { return Vec::new() };
        let mut others: Vec<String> = Vec::new();
        for alias in nodes(key).iter().map(|node| secret.alias(node)) {
            if alias != self.alias && !others.contains(&alias) && others.len() < MOST_FALLBACKS {
                others.push(alias);
            }
        }
        others
    }
}
