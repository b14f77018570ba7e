//! `Set-Cookie`, through the `cookie` crate.

use std::time::Duration;

use abide_core::Token;
use cookie::{Cookie, SameSite};
use http::header::{CACHE_CONTROL, SET_COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::full_name;
use crate::config::{self, Config};

/// What the response has to say about the cookie.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum CookieChange {
    /// Nothing.
    #[default]
    None,
    /// A new token, and for how long the session can live at the most.
    Set { token: Token, life: Duration },
    /// The session is over.
    Remove,
}

/// What the response has to say about the route mark's own cookie.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum RouteChange {
    /// Nothing.
    #[default]
    None,
    /// A mark, and for how long it is of use.
    Set { mark: String, life: Duration },
    /// The session is over.
    Remove,
}

/// The attributes of our cookie: the same ones for setting and for removing it, else a browser keeps the old one.
#[derive(Clone, Debug)]
pub(crate) struct CookieTemplate {
    name: String,
    domain: Option<String>,
    path: String,
    secure: bool,
    same_site: SameSite,
    partitioned: bool,
    persistent: bool,
    clear_site_data: bool,
}

impl CookieTemplate {
    /// The session cookie's.
    pub(crate) fn of(config: &Config) -> Self {
        Self::named(&config.cookie_name, config)
    }

    /// Those of a cookie of this name, without its prefix.
    pub(crate) fn named(name: &str, config: &Config) -> Self {
        let secure = !config.insecure_http;
        let domain = config.cookie_domain.clone();
        Self {
            name: full_name(name, secure, domain.as_deref(), &config.cookie_path),
            domain,
            path: config.cookie_path.clone(),
            secure,
            same_site: match config.same_site {
                config::SameSite::Lax => SameSite::Lax,
                config::SameSite::Strict => SameSite::Strict,
                config::SameSite::None => SameSite::None,
            },
            partitioned: config.partitioned,
            persistent: config.persistent_cookie,
            clear_site_data: config.clear_site_data,
        }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    fn build(&self, value: String) -> Cookie<'_> {
        let mut cookie = Cookie::new(self.name.as_str(), value);
        cookie.set_path(self.path.as_str());
        cookie.set_http_only(true);
        cookie.set_same_site(self.same_site);
        if self.secure {
            cookie.set_secure(true);
        }
        if self.partitioned {
            cookie.set_partitioned(true);
        }
        if let Some(domain) = &self.domain {
            cookie.set_domain(domain.as_str());
        }
        cookie
    }

    fn set(&self, value: String, life: Duration) -> Cookie<'_> {
        let mut cookie = self.build(value);
        if self.persistent {
            let seconds = i64::try_from(life.as_secs()).unwrap_or(i64::MAX);
            cookie.set_max_age(cookie::time::Duration::seconds(seconds));
        }
        cookie
    }

    fn removal(&self) -> Cookie<'_> {
        let mut cookie = self.build(String::new());
        cookie.make_removal();
        cookie
    }
}

/// Writes the change into the headers, beside whatever cookies the handler set. A token is followed by its route mark,
/// where it has one.
pub(crate) fn add_cookie(
    headers: &mut HeaderMap,
    template: &CookieTemplate,
    change: &CookieChange,
    mark: Option<String>,
) {
    let cookie = match change {
        CookieChange::None => return,
        CookieChange::Set { token, life } => template.set(marked(token, mark), *life),
        CookieChange::Remove => template.removal(),
    };
    append(headers, &cookie);
    if *change == CookieChange::Remove && template.clear_site_data {
        let name = HeaderName::from_static("clear-site-data");
        headers.insert(name, HeaderValue::from_static(r#""cache", "cookies", "storage""#));
    }
}

/// Writes a route mark's own cookie, unless a layer within did.
pub(crate) fn add_route_cookie(headers: &mut HeaderMap, template: &CookieTemplate, change: RouteChange) {
    let is_ours = |value: &HeaderValue| {
        let rest = value.as_bytes().strip_prefix(template.name.as_bytes());
        rest.is_some_and(|rest| rest.starts_with(b"="))
    };
    if change == RouteChange::None || headers.get_all(SET_COOKIE).iter().any(is_ours) {
        return;
    }
    append(
        headers,
        &match change {
            RouteChange::Set { mark, life } => template.set(mark, life),
            RouteChange::None | RouteChange::Remove => template.removal(),
        },
    );
}

fn marked(token: &Token, mark: Option<String>) -> String {
    let token = token.encode();
    match mark {
        Some(mark) => token + "." + &mark,
        None => token,
    }
}

fn append(headers: &mut HeaderMap, cookie: &Cookie<'_>) {
    // The name was checked with the configuration, as was an alias, and a token is base64url: this cannot fail.
    let Ok(mut value) = HeaderValue::try_from(cookie.to_string()) else { return };
    value.set_sensitive(true);
    headers.append(SET_COOKIE, value);
    // A shared cache must not hand one client's cookie to another; a handler that chose knows better.
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(config: Config, change: CookieChange) -> String {
        let mut headers = HeaderMap::new();
        add_cookie(&mut headers, &CookieTemplate::of(&config), &change, None);
        headers[SET_COOKIE].to_str().unwrap().to_owned()
    }

    fn set() -> CookieChange {
        CookieChange::Set { token: Token::from_bytes([0; 32]), life: Duration::from_secs(60) }
    }

    #[test]
    fn a_cookie_is_bound_to_its_host_secure_and_for_the_browser_session_by_default() {
        let cookie = written(Config::new(), set());
        let expected = format!("__Host-id={}; HttpOnly; SameSite=Lax; Secure; Path=/", "A".repeat(43));
        assert_eq!(cookie, expected);
    }

    #[test]
    fn a_removal_carries_the_attributes_of_the_cookie_that_it_removes() {
        let config = || Config::new().cookie_domain("example.org").cookie_path("/app").partitioned(true);
        let (set, removed) = (written(config(), set()), written(config(), CookieChange::Remove));
        for attribute in
            ["__Secure-id=", "Secure", "Path=/app", "Domain=example.org", "Partitioned", "SameSite=Lax"]
        {
            assert!(set.contains(attribute) && removed.contains(attribute), "{attribute}: {set} / {removed}");
        }
        assert!(removed.contains("Max-Age=0") && !set.contains("Max-Age"), "{removed}");
    }

    #[test]
    fn a_persistent_cookie_says_how_long_the_session_can_live() {
        assert!(written(Config::new().persistent_cookie(true), set()).contains("Max-Age=60"));
    }
}
