//! Every setting, from a file, the environment and code.
//!
//! [`Config::load`] reads `abide.toml` (or the file that `ABIDE_CONFIG` names), then the `ABIDE_*` variables, each named
//! like its setting in capitals; the environment wins. A setting that is unknown or wrong is an error that names it
//! and says what would be accepted: nothing is ignored in silence.
//!
//! | file | role |
//! |---|---|
//! | `mod` | the settings, their defaults, and how code sets them |
//! | `sources` | the file and the environment |
//! | `fields` | how one value is read, from TOML or from a text |
//! | `check` | what settings must be together |
//! | `error` | the error of all of these |

mod check;
mod error;
mod fields;
mod sources;

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use error::ConfigError;
pub(crate) use error::nearest;
#[cfg(any(feature = "memory", feature = "redis"))]
pub(crate) use fields::parse_size;

use crate::sessions::{Sessions, SessionsBuilder};

/// When a browser sends the cookie with requests that another site caused.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum SameSite {
    /// With top-level navigation only.
    #[default]
    Lax,
    /// Never.
    Strict,
    /// Always: then the application needs its own defence against cross-site requests.
    None,
}

/// Which requests slide the idle deadline.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Touch {
    /// Those whose handler read or wrote the session.
    #[default]
    Read,
    /// Every request that brings a session's cookie. Then every request looks at the store.
    Visit,
}

/// Where a route mark stands: what a load balancer pins a client by. See [`route`](crate::route).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Route {
    /// Nowhere.
    #[default]
    Off,
    /// In a cookie of its own.
    Cookie,
    /// Behind the token, after a dot, in the session cookie.
    Suffix,
}

/// Every setting, each with a default.
///
/// ```
/// use abide::Config;
/// use std::time::Duration;
///
/// let config = Config::new().store("memory:").idle_timeout(Duration::from_secs(15 * 60));
/// assert!(format!("{config:?}").contains("idle_timeout: 900s"));
/// ```
///
/// Durations are written with a unit, such as `"30m"` or `"1h 30m"`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[must_use]
pub struct Config {
    #[serde(deserialize_with = "fields::text")]
    pub(crate) store: String,
    #[serde(deserialize_with = "fields::optional_text")]
    pub(crate) store_from: Option<String>,
    #[serde(deserialize_with = "fields::optional_text")]
    pub(crate) node: Option<String>,
    pub(crate) route: Route,
    #[serde(deserialize_with = "fields::text")]
    pub(crate) route_cookie: String,
    #[serde(deserialize_with = "fields::optional_text")]
    pub(crate) route_key_file: Option<String>,
    #[serde(deserialize_with = "fields::optional_text")]
    pub(crate) route_alias: Option<String>,
    #[serde(deserialize_with = "fields::text")]
    pub(crate) cookie_name: String,
    #[serde(deserialize_with = "fields::text")]
    pub(crate) cookie_path: String,
    #[serde(deserialize_with = "fields::optional_text")]
    pub(crate) cookie_domain: Option<String>,
    pub(crate) same_site: SameSite,
    #[serde(deserialize_with = "fields::flag")]
    pub(crate) persistent_cookie: bool,
    #[serde(deserialize_with = "fields::flag")]
    pub(crate) partitioned: bool,
    #[serde(deserialize_with = "fields::flag")]
    pub(crate) clear_site_data: bool,
    #[serde(deserialize_with = "fields::flag")]
    pub(crate) insecure_http: bool,
    #[serde(with = "fields::duration")]
    pub(crate) idle_timeout: Duration,
    #[serde(with = "fields::duration")]
    pub(crate) absolute_timeout: Duration,
    #[serde(with = "fields::duration")]
    pub(crate) renew_every: Duration,
    #[serde(with = "fields::duration")]
    pub(crate) renew_grace: Duration,
    pub(crate) touch: Touch,
    #[serde(deserialize_with = "fields::flag")]
    pub(crate) keep_on_server_error: bool,
    #[serde(deserialize_with = "fields::size")]
    pub(crate) max_session_bytes: usize,
    #[serde(deserialize_with = "fields::sessions")]
    pub(crate) sessions_per_user: usize,
    #[serde(with = "fields::duration")]
    pub(crate) retry_after: Duration,
    #[serde(deserialize_with = "fields::status")]
    pub(crate) draining_status: u16,
    #[serde(with = "fields::optional_duration")]
    pub(crate) store_timeout: Option<Duration>,
    #[serde(deserialize_with = "fields::optional_count")]
    pub(crate) store_concurrency: Option<usize>,
    #[serde(deserialize_with = "fields::optional_count")]
    pub(crate) store_queue: Option<usize>,
    #[serde(deserialize_with = "fields::optional_text")]
    pub(crate) encryption_key_file: Option<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            store: "memory:".into(),
            store_from: None,
            node: None,
            route: Route::Off,
            route_cookie: "route".into(),
            route_key_file: None,
            route_alias: None,
            cookie_name: "id".into(),
            cookie_path: "/".into(),
            cookie_domain: None,
            same_site: SameSite::Lax,
            persistent_cookie: false,
            partitioned: false,
            clear_site_data: false,
            insecure_http: false,
            idle_timeout: Duration::from_secs(30 * 60),
            absolute_timeout: Duration::from_secs(24 * 3600),
            renew_every: Duration::ZERO,
            renew_grace: Duration::from_secs(30),
            touch: Touch::Read,
            keep_on_server_error: true,
            max_session_bytes: 64 * 1024,
            sessions_per_user: 0,
            retry_after: Duration::from_secs(1),
            draining_status: 503,
            store_timeout: None,
            store_concurrency: None,
            store_queue: None,
            encryption_key_file: None,
        }
    }
}

macro_rules! setters {
    ($($(#[$doc:meta])* $name:ident($of:ty) => |$value:ident| $make:expr;)+) => {
        impl Config {$(
            $(#[$doc])*
            pub fn $name(mut self, $value: $of) -> Self {
                self.$name = $make;
                self
            }
        )+}
    };
}

setters! {
    /// Where sessions live, as a URL whose scheme picks the strategy. Default `memory:`.
    store(impl Into<String>) => |url| url.into();
    /// The store that sessions are in so far, as a URL, where a service moves to another one: each session moves when it is
    /// first asked for, and nobody is signed out; see [`Migrating`](crate::wrappers::Migrating). Default none.
    store_from(impl Into<String>) => |url| Some(url.into());
    /// This server's name, for people: it never reaches a client through the cookie. Default none.
    node(impl Into<String>) => |name| Some(name.into());
    /// Where a route mark stands, by which a load balancer keeps a client on this server; see [`route`](crate::route).
    /// Default [`Route::Off`]: there is none.
    route(Route) => |route| route;
    /// The name of the route mark's own cookie, without a prefix: it gets the prefix and the attributes of the session
    /// cookie. Default `route`.
    route_cookie(impl Into<String>) => |name| name.into();
    /// A file with a secret of 32 bytes or more, the same on every server: this server's alias in route marks is a hash
    /// of [`node`](Config::node) under it; see [`RouteKey`](crate::route::RouteKey). Default none.
    route_key_file(impl Into<String>) => |path| Some(path.into());
    /// This server's alias in route marks, in place of one from [`route_key_file`](Config::route_key_file). Every client
    /// sees it: choose what says nothing about the server. Default none.
    route_alias(impl Into<String>) => |alias| Some(alias.into());
    /// The cookie's name without a prefix. Default `id`; the prefix `__Host-` or `__Secure-` is added where the
    /// attributes earn it.
    cookie_name(impl Into<String>) => |name| name.into();
    /// The cookie's `Path`. Default `/`.
    cookie_path(impl Into<String>) => |path| path.into();
    /// The cookie's `Domain`. Default none: the cookie is for this host alone. With a domain, every host below it can
    /// read and overwrite the cookie.
    cookie_domain(impl Into<String>) => |domain| Some(domain.into());
    /// The cookie's `SameSite`. Default [`SameSite::Lax`].
    same_site(SameSite) => |same_site| same_site;
    /// Whether the cookie outlives the browser: then it carries a `Max-Age` until the absolute deadline. Default no.
    persistent_cookie(bool) => |yes| yes;
    /// Whether the cookie is kept apart for each site that embeds this one (CHIPS). Default no.
    partitioned(bool) => |yes| yes;
    /// Whether a logout tells the browser to clear its caches and storage of this site too. Default no.
    clear_site_data(bool) => |yes| yes;
    /// **For development only.** Sends the cookie without `Secure` and its prefix, so that plain http works: anybody on
    /// the network can read it. A warning is logged when the sessions open. Default no.
    insecure_http(bool) => |yes| yes;
    /// How long a session may go unused, on the server's clock. Default 30 minutes.
    idle_timeout(Duration) => |timeout| timeout;
    /// How long a session lives whatever happens, from its login. Default 24 hours.
    absolute_timeout(Duration) => |timeout| timeout;
    /// How old a token may grow before it is renewed. Default zero: only logins and [`renew`](crate::Session::renew)
    /// make a new one.
    renew_every(Duration) => |interval| interval;
    /// How long the token before a renewal stays good once the new one was presented. Default 30 seconds.
    renew_grace(Duration) => |grace| grace;
    /// Which requests slide the idle deadline. Default [`Touch::Read`].
    touch(Touch) => |touch| touch;
    /// Whether what a handler wrote is kept where it answers with a 5xx (counters of failed logins, say). Default yes.
    keep_on_server_error(bool) => |yes| yes;
    /// How large a session may grow, in bytes of keys and values with about 50 more each. Default 64 KiB.
    max_session_bytes(usize) => |bytes| bytes;
    /// How many sessions a user may have at once. A login beyond that ends those of the same user with the oldest login,
    /// each with an [event](crate::event::EventKind::Ended); the session that logs in stays. Default zero: no limit.
    sessions_per_user(usize) => |sessions| sessions;
    /// What `Retry-After` says where the store is out of reach, in whole seconds. Default one second.
    retry_after(Duration) => |after| after;
    /// What `/ready` answers while this server drains: `503`, or `404` for HAProxy's `disable-on-404`, which then sends new
    /// clients elsewhere and goes on sending the old ones. Default `503`. See [`ready`](crate::ready).
    draining_status(u16) => |status| status;
    /// How long the store may take for one operation, and how long one may wait for its turn where
    /// [`store_concurrency`](Config::store_concurrency) is set; see [`Timeout`](crate::wrappers::Timeout). Default none.
    store_timeout(Duration) => |timeout| Some(timeout);
    /// How many operations of the store may be under way at once; see
    /// [`ConcurrencyLimit`](crate::wrappers::ConcurrencyLimit). Default none.
    store_concurrency(usize) => |at_once| Some(at_once);
    /// How many operations of the store may wait for their turn. Default four times
    /// [`store_concurrency`](Config::store_concurrency), without which there is no queue.
    store_queue(usize) => |waiting| Some(waiting);
    /// A file with the keys by which values are encrypted at rest, one a line as 64 characters of hex or 43 of
    /// base64url: the first one encrypts, the others only decrypt. It needs the feature `encryption`; see
    /// `wrappers::KeyRing`. Default none: values are stored as they are.
    encryption_key_file(impl Into<String>) => |path| Some(path.into());
}

impl Config {
    /// The defaults.
    pub fn new() -> Self {
        Self::default()
    }

    /// The limit as a store takes it.
    pub(crate) fn user_limit(&self) -> Option<NonZeroUsize> {
        NonZeroUsize::new(self.sessions_per_user)
    }

    /// The name of this server, where one is set.
    #[must_use]
    pub fn node_name(&self) -> Option<&str> {
        self.node.as_deref()
    }

    /// NIST SP 800-63B-4, assurance level 1: 30 days at the most.
    pub fn nist_aal1(self) -> Self {
        let days = Duration::from_secs(30 * 24 * 3600);
        self.idle_timeout(days).absolute_timeout(days)
    }

    /// NIST SP 800-63B-4, assurance level 2: an hour unused, a day at the most.
    pub fn nist_aal2(self) -> Self {
        self.idle_timeout(Duration::from_secs(3600)).absolute_timeout(Duration::from_secs(24 * 3600))
    }

    /// NIST SP 800-63B-4, assurance level 3: 15 minutes unused, 12 hours at the most.
    pub fn nist_aal3(self) -> Self {
        self.idle_timeout(Duration::from_secs(15 * 60)).absolute_timeout(Duration::from_secs(12 * 3600))
    }

    /// Opens the store, with the schemes that this build has.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a wrong setting, and where the store cannot be opened.
    pub async fn open(self) -> Result<Sessions, ConfigError> {
        self.builder().open().await
    }

    /// Opens the store with parts of your own: another store, clock, listener or answers.
    pub fn builder(self) -> SessionsBuilder {
        SessionsBuilder::new(self)
    }
}

/// The store's URL may carry a password: it is shown without user, password and options.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("store", &crate::registry::redacted(&self.store))
            .field("store_from", &self.store_from.as_deref().map(crate::registry::redacted))
            .field("node", &self.node)
            .field("route", &self.route)
            .field("route_cookie", &self.route_cookie)
            .field("route_key_file", &self.route_key_file)
            .field("route_alias", &self.route_alias)
            .field("cookie_name", &self.cookie_name)
            .field("cookie_path", &self.cookie_path)
            .field("cookie_domain", &self.cookie_domain)
            .field("same_site", &self.same_site)
            .field("persistent_cookie", &self.persistent_cookie)
            .field("partitioned", &self.partitioned)
            .field("clear_site_data", &self.clear_site_data)
            .field("insecure_http", &self.insecure_http)
            .field("idle_timeout", &self.idle_timeout)
            .field("absolute_timeout", &self.absolute_timeout)
            .field("renew_every", &self.renew_every)
            .field("renew_grace", &self.renew_grace)
            .field("touch", &self.touch)
            .field("keep_on_server_error", &self.keep_on_server_error)
            .field("max_session_bytes", &self.max_session_bytes)
            .field("sessions_per_user", &self.sessions_per_user)
            .field("retry_after", &self.retry_after)
            .field("draining_status", &self.draining_status)
            .field("store_timeout", &self.store_timeout)
            .field("store_concurrency", &self.store_concurrency)
            .field("store_queue", &self.store_queue)
            .field("encryption_key_file", &self.encryption_key_file)
            .finish()
    }
}
