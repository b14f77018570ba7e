//! What a response says about the cookie.

use abide::Config;
use abide::config::SameSite;
use http::header::CACHE_CONTROL;

use crate::stage::{Answer, Client, HOUR, Stage};

/// The attributes of the one session cookie of an answer, in lower case, without its name and value.
fn attributes(answer: &Answer) -> Vec<String> {
    let cookies = answer.set_cookies();
    assert_eq!(cookies.len(), 1, "{cookies:?}");
    let mut attributes: Vec<_> = cookies[0].split("; ").skip(1).map(str::to_lowercase).collect();
    attributes.sort();
    attributes
}

async fn first_answer(config: Config) -> (Answer, Client) {
    let stage = Stage::with(config).await;
    let mut client = stage.client();
    (client.log_in("ada").await, client)
}

// Row 4.
#[tokio::test]
async fn by_default_the_cookie_is_secure_http_only_same_site_and_bound_to_its_host() {
    let (answer, client) = first_answer(Config::new()).await;
    assert_eq!(attributes(&answer), ["httponly", "path=/", "samesite=lax", "secure"]);
    assert!(client.cookie.unwrap().starts_with("__Host-"));
}

// Row 4.
#[tokio::test]
async fn a_cookie_that_cannot_be_bound_to_its_host_is_still_bound_to_https() {
    for config in [Config::new().cookie_domain("example.org"), Config::new().cookie_path("/app")] {
        let (answer, client) = first_answer(config).await;
        assert!(attributes(&answer).contains(&"secure".to_owned()));
        assert!(client.cookie.unwrap().starts_with("__Secure-"));
    }
}

// Row 4.
#[tokio::test]
async fn nothing_but_insecure_http_takes_secure_away_and_http_only_always_stays() {
    let configs = [
        Config::new().same_site(SameSite::Strict),
        Config::new().same_site(SameSite::None),
        Config::new().persistent_cookie(true).partitioned(true),
        Config::new().insecure_http(true),
    ];
    for (n, config) in configs.into_iter().enumerate() {
        let (answer, client) = first_answer(config).await;
        let attributes = attributes(&answer);
        assert!(attributes.contains(&"httponly".to_owned()), "{attributes:?}");
        assert!(attributes.iter().any(|attribute| attribute.starts_with("samesite=")), "{attributes:?}");
        assert_eq!(attributes.contains(&"secure".to_owned()), n < 3, "{attributes:?}");
        assert_eq!(
            client.cookie.unwrap().starts_with("__Host-"),
            n < 3,
            "no prefix that browsers would refuse"
        );
    }
}

// Row 4.
#[tokio::test]
async fn a_cookie_that_browsers_would_refuse_cannot_be_configured() {
    for config in [
        Config::new().insecure_http(true).same_site(SameSite::None),
        Config::new().insecure_http(true).partitioned(true),
        Config::new().cookie_name("__Host-id"),
        Config::new().cookie_name("__Secure-id"),
        Config::new().cookie_name("id; Domain=example.org"),
        Config::new().cookie_path("/; Secure"),
        Config::new().cookie_domain("example.org; Path=/"),
    ] {
        config.open().await.unwrap_err();
    }
}

// Row 5.
#[tokio::test]
async fn by_default_the_cookie_has_no_domain_and_every_path() {
    let (answer, _) = first_answer(Config::new()).await;
    let attributes = attributes(&answer);
    assert!(attributes.contains(&"path=/".to_owned()));
    assert!(!attributes.iter().any(|attribute| attribute.starts_with("domain")));
}

// Row 5.
#[tokio::test]
async fn name_and_value_never_exceed_4096_bytes() {
    let (_, client) = first_answer(Config::new().cookie_name("n".repeat(256))).await;
    assert!(client.cookie.unwrap().len() <= 4096);
    Config::new().cookie_name("n".repeat(257)).open().await.unwrap_err();
}

// Row 6.
#[tokio::test]
async fn by_default_the_cookie_ends_with_the_browser() {
    let (answer, _) = first_answer(Config::new()).await;
    let attributes = attributes(&answer);
    let lasts = |attribute: &String| attribute.starts_with("max-age") || attribute.starts_with("expires");
    assert!(!attributes.iter().any(lasts), "{attributes:?}");
}

// Row 6.
#[tokio::test]
async fn a_persistent_cookie_lasts_as_long_as_the_session_can() {
    let stage = Stage::with(Config::new().persistent_cookie(true).absolute_timeout(24 * HOUR)).await;
    let mut client = stage.client();
    let answer = client.log_in("ada").await;
    assert!(attributes(&answer).contains(&format!("max-age={}", 24 * 3600)));
    stage.clock.advance(HOUR / 4);
    let answer = client.ask(async |session| session.renew().await).await;
    assert!(attributes(&answer).contains(&format!("max-age={}", 24 * 3600 - 900)), "{answer:?}");
}

// Row 13.
#[tokio::test]
async fn the_removal_cookie_carries_the_attributes_of_the_cookie_that_it_removes() {
    for config in [
        Config::new(),
        Config::new().persistent_cookie(true),
        Config::new().cookie_domain("example.org").cookie_path("/app").partitioned(true),
        Config::new().insecure_http(true).same_site(SameSite::Strict),
    ] {
        let stage = Stage::with(config).await;
        let mut client = stage.client();
        let set = client.log_in("ada").await;
        let removed = client.log_out().await;
        let name = |answer: &Answer| answer.set_cookies()[0].split('=').next().unwrap().to_owned();
        assert_eq!(name(&set), name(&removed));
        assert!(removed.set_cookies()[0].starts_with(&format!("{}=;", name(&set))), "without a value");
        let when = |attribute: &String| attribute.starts_with("max-age") || attribute.starts_with("expires");
        let (mut set, mut removed) = (attributes(&set), attributes(&removed));
        assert!(removed.contains(&"max-age=0".to_owned()), "{removed:?}");
        set.retain(|attribute| !when(attribute));
        removed.retain(|attribute| !when(attribute));
        assert_eq!(set, removed);
    }
}

// Row 13.
#[tokio::test]
async fn a_logout_clears_the_sites_data_where_that_is_configured_and_only_then() {
    for clear in [true, false] {
        let stage = Stage::with(Config::new().clear_site_data(clear)).await;
        let mut client = stage.client();
        assert!(!client.log_in("ada").await.headers.contains_key("clear-site-data"));
        let answer = client.log_out().await;
        let expected = clear.then_some(r#""cache", "cookies", "storage""#);
        assert_eq!(answer.headers.get("clear-site-data").map(|value| value.to_str().unwrap()), expected);
    }
}

// Row 14.
#[tokio::test]
async fn beside_a_session_cookie_nothing_is_cached_unless_the_handler_chose() {
    let stage = Stage::new().await;
    let mut client = stage.client();
    assert_eq!(client.log_in("ada").await.headers[CACHE_CONTROL], "no-store");
    assert!(!client.ask(async |_| ()).await.headers.contains_key(CACHE_CONTROL));
    let renewed = client.ask(async |session| session.renew().await).await;
    assert_eq!(renewed.headers[CACHE_CONTROL], "no-store");
    let chosen = async |session: abide::Session| {
        session.renew().await.map(|()| [(CACHE_CONTROL, "private, no-cache")])
    };
    assert_eq!(client.ask(chosen).await.headers[CACHE_CONTROL], "private, no-cache");
    assert_eq!(client.log_out().await.headers[CACHE_CONTROL], "no-store");
}

// Row 4.
#[tokio::test]
async fn a_cookie_is_partitioned_where_that_is_configured_and_only_then() {
    for partitioned in [true, false] {
        let config = Config::new().same_site(SameSite::None).partitioned(partitioned);
        let (answer, mut client) = first_answer(config).await;
        assert_eq!(attributes(&answer).contains(&"partitioned".to_owned()), partitioned);
        let removed = client.log_out().await;
        assert_eq!(attributes(&removed).contains(&"partitioned".to_owned()), partitioned, "else it stays");
    }
}
