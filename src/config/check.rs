//! What settings must be together.

use std::time::Duration;

use super::{Config, ConfigError, Route, SameSite};

/// Browsers keep no cookie for longer.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 3600);
/// Far above any sensible session, far below what a decoder takes.
const LARGEST: usize = 8 << 20;
const SMALLEST: usize = 1 << 10;
/// No request waits for longer; a shutdown would not either.
const LONGEST_WAIT: Duration = Duration::from_secs(3600);
/// A cookie's name and value together; the value takes 43 bytes of it.
const LONGEST_NAME: usize = 256;
/// Far above any alias that says nothing, far below what a cookie holds.
const LONGEST_ALIAS: usize = 64;

impl Config {
    /// Checks the settings one by one and together.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] naming the first that is wrong.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_deadlines()?;
        self.check_cookie()?;
        self.check_wrappers()?;
        self.check_route()?;
        let status = self.draining_status;
        require(matches!(status, 503 | 404), || format!("draining_status is {status}, expected 503 or 404"))?;
        let bytes = self.max_session_bytes;
        require((SMALLEST..=LARGEST).contains(&bytes), || {
            format!("max_session_bytes is {bytes}, expected {SMALLEST} to {LARGEST}")
        })
    }

    fn check_deadlines(&self) -> Result<(), ConfigError> {
        let absolute = self.absolute_timeout;
        let second = Duration::from_secs(1);
        require((second..=LONGEST).contains(&absolute), || {
            format!(
                "absolute_timeout is {}, expected `1s` to `400days`",
                humantime::format_duration(absolute)
            )
        })?;
        let idle = self.idle_timeout;
        require((second..=absolute).contains(&idle), || {
            format!(
                "idle_timeout is {}, expected `1s` to the absolute_timeout, which is {}",
                humantime::format_duration(idle),
                humantime::format_duration(absolute)
            )
        })?;
        let grace = self.renew_grace;
        require(grace <= Duration::from_secs(600), || {
            format!("renew_grace is {}, expected at most `10m`", humantime::format_duration(grace))
        })
    }

    fn check_wrappers(&self) -> Result<(), ConfigError> {
        if let Some(timeout) = self.store_timeout {
            require((Duration::from_millis(1)..=LONGEST_WAIT).contains(&timeout), || {
                format!(
                    "store_timeout is {}, expected `1ms` to `{}`",
                    humantime::format_duration(timeout),
                    humantime::format_duration(LONGEST_WAIT)
                )
            })?;
        }
        if let Some(at_once) = self.store_concurrency {
            require(at_once >= 2, || {
                format!("store_concurrency is {at_once}, expected 2 or more: one place is kept for logouts")
            })?;
        }
        require(self.store_queue.is_none() || self.store_concurrency.is_some(), || {
            "store_queue is set alone, expected store_concurrency beside it".into()
        })?;
        require(self.encryption_key_file.is_none() || cfg!(feature = "encryption"), || {
            "encryption_key_file needs the feature `encryption` of abide".into()
        })
    }

    fn check_route(&self) -> Result<(), ConfigError> {
        check_name("route_cookie", &self.route_cookie)?;
        require(self.route_cookie != self.cookie_name, || {
            format!("route_cookie is {:?}, expected another name than cookie_name", self.route_cookie)
        })?;
        if let Some(alias) = &self.route_alias {
            require(is_alias(alias), || {
                format!("route_alias is {alias:?}, expected 1 to {LONGEST_ALIAS} letters, digits, `-` or `_`")
            })?;
            require(self.node.as_ref().is_none_or(|node| !node.eq_ignore_ascii_case(alias)), || {
                "route_alias is the node's name, expected one that says nothing about the server".into()
            })?;
        }
        if self.route == Route::Off {
            return Ok(());
        }
        match (&self.route_key_file, &self.route_alias) {
            (Some(_), Some(_)) => {
                Err(ConfigError::new("route_alias is set beside route_key_file, expected one"))
            }
            (None, None) => {
                Err(ConfigError::new("route is on without an alias, expected route_key_file or route_alias"))
            }
            (Some(_), None) => require(self.node.is_some(), || {
                "route_key_file is set without node, expected the name that this server has among its own"
                    .into()
            }),
            (None, Some(_)) => Ok(()),
        }
    }

    fn check_cookie(&self) -> Result<(), ConfigError> {
        check_name("cookie_name", &self.cookie_name)?;
        let path = &self.cookie_path;
        require(path.starts_with('/') && is_attribute(path), || {
            format!("cookie_path is {path:?}, expected a path such as `/` or `/app`")
        })?;
        if let Some(domain) = &self.cookie_domain {
            require(!domain.is_empty() && is_attribute(domain), || {
                format!("cookie_domain is {domain:?}, expected a host such as `example.org`")
            })?;
        }
        require(!(self.insecure_http && (self.same_site == SameSite::None || self.partitioned)), || {
            "same_site = \"none\" and partitioned need a secure cookie, expected insecure_http = false".into()
        })
    }
}

fn check_name(setting: &str, name: &str) -> Result<(), ConfigError> {
    require(is_token(name) && name.len() <= LONGEST_NAME, || {
        format!(
            "{setting} is {name:?}, expected 1 to {LONGEST_NAME} letters, digits or characters of !#$%&'*+-.^_`|~"
        )
    })?;
    require(!name.starts_with("__Host-") && !name.starts_with("__Secure-"), || {
        format!("{setting} is {name:?}, expected a name without its prefix, which is added where it is due")
    })
}

/// What a load balancer can compare, and no cookie or list of routes is cut at.
fn is_alias(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=LONGEST_ALIAS).contains(&text.len()) && text.bytes().all(plain)
}

fn require(holds: bool, message: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::new(message())) }
}

/// A token of HTTP: what a cookie may be called.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b))
}

/// What may stand in an attribute of `Set-Cookie`.
fn is_attribute(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_graphic() && b != b';' && b != b',')
}
