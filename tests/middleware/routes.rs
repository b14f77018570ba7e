//! Route marks: what a load balancer keeps a client on its server by.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use abide::config::Route;
use abide::route::RouteKey;
use abide::{Config, Session, Sessions};
use axum::Router;
use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{CACHE_CONTROL, COOKIE};
use http::{HeaderValue, Request};
use tower::ServiceExt as _;

use crate::stage::{Answer, HOUR, MINUTE, SECOND, Stage, ask};

const SESSION: &str = "__Host-id";
const MARK: &str = "__Host-route";
const SECRET: &str = "a secret of the servers, long enough";

/// The settings of the server of this name.
fn settings(route: Route, node: &str) -> Config {
    Config::new().route(route).node(node).route_key_file(KEY_FILE.as_str())
}

/// Written once: a test must not read it while another writes it anew.
static KEY_FILE: LazyLock<String> = LazyLock::new(|| {
    let path = std::env::temp_dir().join(format!("abide-route-key-{}", std::process::id()));
    std::fs::write(&path, SECRET).unwrap();
    path.to_str().unwrap().to_owned()
});

fn alias(node: &str) -> String {
    RouteKey::from_secret(SECRET.as_bytes()).unwrap().alias(node)
}

/// A server with marks, and another one over the same sessions.
async fn two(route: Route) -> (Stage, Sessions) {
    let one = Stage::with(settings(route, "server-one")).await;
    let two = one.another_server(settings(route, "server-two")).await;
    (one, two)
}

/// A browser with any number of cookies.
#[derive(Clone, Default)]
struct Browser(BTreeMap<String, String>);

impl Browser {
    async fn ask<F, H, R>(&mut self, sessions: &Sessions, handler: F) -> Answer
    where
        F: FnOnce(Session) -> H,
        H: Future<Output = R>,
        R: IntoResponse,
    {
        let answer = ask(sessions, self.request(), handler).await;
        self.keep(&answer);
        answer
    }

    fn request(&self) -> Request<Body> {
        let mut request = Request::new(Body::empty());
        for (name, value) in &self.0 {
            let header = HeaderValue::from_bytes(format!("{name}={value}").as_bytes()).unwrap();
            request.headers_mut().append(COOKIE, header);
        }
        request
    }

    fn keep(&mut self, answer: &Answer) {
        for cookie in answer.set_cookies() {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            if cookie.contains("Max-Age=0") {
                self.0.remove(name);
            } else {
                self.0.insert(name.to_owned(), value.to_owned());
            }
        }
    }

    async fn log_in(&mut self, sessions: &Sessions) -> Answer {
        let answer = self.ask(sessions, async |session| session.log_in("ada").await).await;
        answer.is_ok();
        answer
    }

    async fn log_out(&mut self, sessions: &Sessions) -> Answer {
        self.ask(sessions, async |session| session.log_out().await).await
    }

    /// Looks at the session. Answers who is signed in, and which cookies came.
    async fn look(&mut self, sessions: &Sessions) -> (Option<String>, Vec<String>) {
        let mut user = None;
        let answer = self.ask(sessions, async |session| session.user().await.map(|found| user = found)).await;
        answer.is_ok();
        (user.map(|user| user.to_string()), answer.set_cookies())
    }

    fn has(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    fn set(&mut self, name: &str, value: impl Into<String>) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// The token, without what follows it.
    fn token(&self) -> String {
        self.0[SESSION][..43].to_owned()
    }
}

fn ada() -> Option<String> {
    Some("ada".to_owned())
}

#[tokio::test]
async fn a_login_gets_the_mark_of_its_server_with_the_attributes_of_the_session_and_once() {
    let (one, _) = two(Route::Cookie).await;
    let mut browser = Browser::default();
    let answer = browser.log_in(&one.sessions).await;
    let attributes = "; HttpOnly; SameSite=Lax; Secure; Path=/";
    let cookies = answer.set_cookies();
    assert_eq!(cookies[1..], [format!("{MARK}={}{attributes}", alias("server-one"))]);
    assert!(cookies[0].starts_with(SESSION) && cookies[0].ends_with(attributes), "{cookies:?}");
    assert_eq!(answer.headers[CACHE_CONTROL], "no-store");
    assert_eq!(one.sessions.route(), Some(&*alias("server-one")));

    assert_eq!(browser.look(&one.sessions).await, (ada(), vec![]), "not on each response");
    browser.ask(&one.sessions, async |session| session.insert("n", &1)).await.is_ok();
    assert_eq!(browser.look(&one.sessions).await, (ada(), vec![]));
}

#[tokio::test]
async fn without_a_session_and_for_a_handler_that_never_asks_there_is_no_mark() {
    for route in [Route::Cookie, Route::Suffix] {
        let (one, two) = two(route).await;
        let mut visitor = Browser::default();
        assert_eq!(visitor.look(&one.sessions).await, (None, vec![]));
        visitor.set(SESSION, format!("{}.x", "A".repeat(43)));
        visitor.set(MARK, "x");
        assert_eq!(visitor.look(&one.sessions).await, (None, vec![]), "a token of nobody");
        visitor.log_in(&one.sessions).await;
        let answer = visitor.ask(&two, async |_| ()).await;
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
}

#[tokio::test]
async fn the_server_that_takes_over_marks_the_client_once_and_keeps_it() {
    let (one, two) = two(Route::Cookie).await;
    let mut browser = Browser::default();
    browser.log_in(&one.sessions).await;
    let session = browser.has(SESSION).unwrap().to_owned();
    let (user, cookies) = browser.look(&two).await;
    assert!(user == ada() && cookies.len() == 1 && cookies[0].starts_with(MARK), "{cookies:?}");
    assert_eq!(browser.has(MARK), Some(&*alias("server-two")));
    assert_eq!(browser.has(SESSION), Some(&*session), "the token is left alone");
    assert_eq!(browser.look(&two).await, (ada(), vec![]));
    browser.0.remove(MARK);
    assert_eq!(browser.look(&two).await.1.len(), 1, "a mark that got lost comes again");
}

#[tokio::test]
async fn a_suffix_follows_the_token_and_is_replaced_once_by_the_server_that_takes_over() {
    let (one, two) = two(Route::Suffix).await;
    let mut browser = Browser::default();
    browser.log_in(&one.sessions).await;
    let token = browser.token();
    assert_eq!(browser.has(SESSION), Some(&*format!("{token}.{}", alias("server-one"))));
    assert_eq!(browser.look(&one.sessions).await, (ada(), vec![]));

    let (user, cookies) = browser.look(&two).await;
    assert_eq!((user, cookies.len()), (ada(), 1));
    assert_eq!(browser.has(SESSION), Some(&*format!("{token}.{}", alias("server-two"))));
    assert_eq!(browser.look(&two).await, (ada(), vec![]));
    browser.log_in(&two).await;
    assert_ne!(browser.token(), token);
    assert!(browser.has(SESSION).unwrap().ends_with(&alias("server-two")), "a new token has its mark");
}

#[tokio::test]
async fn a_forged_foreign_oversized_or_replayed_mark_harms_nobody() {
    let broken = ["", ".", "..", "server-one", "'\"<>", "%00", "\u{1F36A}", "a.b.c.d.e"];
    let mut marks: Vec<String> = broken.map(str::to_owned).into();
    marks.extend([alias("server-two"), "x".repeat(5_000), format!("{}x", alias("server-one"))]);
    for route in [Route::Cookie, Route::Suffix, Route::Off] {
        let (one, _) = two(route).await;
        for mark in &marks {
            let mut browser = Browser::default();
            browser.log_in(&one.sessions).await;
            let token = browser.token();
            browser.set(SESSION, format!("{token}.{mark}"));
            browser.set(MARK, mark);
            let (user, cookies) = browser.look(&one.sessions).await;
            assert_eq!(user, ada(), "{route:?} {mark}");
            let due = if route == Route::Off { 0 } else { 1 };
            assert_eq!(cookies.len(), due, "{route:?} {mark}: {cookies:?}");
            assert!(!cookies.concat().contains("server-"), "{cookies:?}");
            assert_eq!(browser.look(&one.sessions).await, (ada(), vec![]), "{route:?} {mark}");
            // And with somebody else's: it is not what anybody is known by.
            let mut eve = Browser::default();
            eve.set(MARK, browser.has(MARK).unwrap());
            eve.set(SESSION, format!(".{}", alias("server-one")));
            assert_eq!(eve.look(&one.sessions).await, (None, vec![]), "{route:?} {mark}");
        }
    }
}

#[tokio::test]
async fn the_token_without_its_mark_works_and_gets_it_back() {
    let (one, _) = two(Route::Suffix).await;
    let mut browser = Browser::default();
    browser.log_in(&one.sessions).await;
    let (token, whole) = (browser.token(), browser.has(SESSION).unwrap().to_owned());
    browser.set(SESSION, token);
    assert_eq!(browser.look(&one.sessions).await.0, ada());
    assert_eq!(browser.has(SESSION), Some(&*whole));
}

#[tokio::test]
async fn of_two_tokens_with_marks_the_best_session_counts_and_its_mark() {
    let (one, two) = two(Route::Suffix).await;
    let (mut ada_, mut visitor) = (Browser::default(), Browser::default());
    ada_.log_in(&one.sessions).await;
    visitor.ask(&two, async |session| session.insert("n", &1)).await.is_ok();
    let look = async |first: &Browser, second: &Browser| {
        let header = format!("{SESSION}={}; {SESSION}={}", first.0[SESSION], second.0[SESSION]);
        let request = Request::builder().header(COOKIE, header).body(Body::empty()).unwrap();
        let mut user = None;
        let answer = ask(&one.sessions, request, async |session: Session| {
            session.user().await.map(|found| user = found)
        });
        let cookies = answer.await.set_cookies();
        (user.map(|user| user.to_string()), cookies)
    };
    assert_eq!(look(&ada_, &visitor).await, (ada(), vec![]));
    assert_eq!(look(&visitor, &ada_).await, (ada(), vec![]));
    ada_.set(SESSION, ada_.token());
    let (user, cookies) = look(&visitor, &ada_).await;
    assert_eq!(user, ada());
    assert_eq!(cookies.len(), 1, "the mark of the one that counts was missing");
    assert!(cookies[0].contains(&ada_.token()) && cookies[0].contains(&alias("server-one")), "{cookies:?}");
}

#[tokio::test]
async fn a_slow_request_does_not_bring_an_old_token_back_for_the_sake_of_its_mark() {
    let (one, two) = two(Route::Suffix).await;
    let mut browser = Browser::default();
    browser.log_in(&one.sessions).await;
    let mut slow = browser.clone();
    let (_, cookies) = {
        let mut user = None;
        let answer = slow
            .ask(&two, async |session| {
                user = session.user().await?;
                browser.log_in(&two).await;
                Ok::<_, abide::Error>(())
            })
            .await;
        (user, answer.set_cookies())
    };
    assert!(cookies.is_empty(), "{cookies:?}");
    assert_eq!(browser.look(&two).await, (ada(), vec![]));
}

#[tokio::test]
async fn a_token_in_its_grace_is_not_sent_again_for_the_sake_of_its_mark() {
    let renewing = |node| settings(Route::Suffix, node).renew_every(MINUTE).renew_grace(30 * SECOND);
    let one = Stage::with(renewing("server-one")).await;
    let two = one.another_server(renewing("server-two")).await;
    let mut browser = Browser::default();
    browser.log_in(&one.sessions).await;
    let mut old = browser.clone();
    one.clock.advance(2 * MINUTE);
    browser.look(&one.sessions).await;
    assert_ne!(browser.token(), old.token(), "renewed");
    assert_eq!(browser.look(&one.sessions).await, (ada(), vec![]), "confirmed");
    assert_eq!(old.look(&two).await, (ada(), vec![]), "a request that was under way");
}

#[tokio::test]
async fn a_logout_removes_the_mark_with_the_session() {
    let (one, _) = two(Route::Cookie).await;
    let mut browser = Browser::default();
    browser.log_in(&one.sessions).await;
    let cookies = browser.log_out(&one.sessions).await.set_cookies();
    assert!(browser.0.is_empty(), "{cookies:?}");
    for name in [SESSION, MARK] {
        let removal = cookies.iter().find(|cookie| cookie.starts_with(&format!("{name}="))).unwrap();
        assert!(removal.contains("Max-Age=0") && removal.contains("Secure; Path=/"), "{removal}");
    }
    let (one, _) = two(Route::Suffix).await;
    browser.log_in(&one.sessions).await;
    assert_eq!(browser.log_out(&one.sessions).await.set_cookies().len(), 1);
    assert!(browser.0.is_empty());
}

#[tokio::test]
async fn a_server_that_drains_marks_nobody_and_serves_whom_it_has() {
    for route in [Route::Cookie, Route::Suffix] {
        let (one, two) = two(route).await;
        let (mut old, mut fresh) = (Browser::default(), Browser::default());
        old.log_in(&one.sessions).await;
        let token = old.token();
        two.begin_shutdown();
        assert_eq!(old.look(&two).await, (ada(), vec![]), "{route:?}");
        fresh.log_in(&two).await;
        assert_eq!(fresh.has(MARK), None);
        assert_eq!(fresh.has(SESSION), Some(&*fresh.token()), "{route:?}");
        one.sessions.begin_shutdown();
        assert_eq!(old.look(&one.sessions).await, (ada(), vec![]));
        assert_eq!(old.token(), token);
    }
}

#[tokio::test]
async fn a_mark_lives_as_long_as_a_persistent_cookie_and_never_makes_one_too_long() {
    for route in [Route::Cookie, Route::Suffix] {
        let config = settings(route, "server-one").persistent_cookie(true).absolute_timeout(2 * HOUR);
        let config = config.cookie_name("n".repeat(256)).route_cookie("r".repeat(256));
        let stage = Stage::built(config, |builder| {
            builder.fallback_routes(|_| (0..99).map(|n| format!("other-{n}")).collect())
        });
        let answer = Browser::default().log_in(&stage.await.sessions).await;
        let cookies = answer.set_cookies();
        for cookie in &cookies {
            assert!(cookie.contains("Max-Age=7200"), "{cookie}");
            assert!(cookie.split(';').next().unwrap().len() < 4096, "{cookie}");
        }
        assert_eq!(cookies.len(), if route == Route::Cookie { 2 } else { 1 });
    }
}

#[tokio::test]
async fn a_store_that_knows_who_else_has_a_session_names_them_in_order() {
    let stage = Stage::built(settings(Route::Cookie, "b"), |builder| {
        builder.fallback_routes(|_| ["b", "c", "a", "c", "d", "e"].map(str::to_owned).into())
    });
    let stage = stage.await;
    let mut browser = Browser::default();
    browser.log_in(&stage.sessions).await;
    let expected = ["b", "c", "a", "d"].map(alias).join(".");
    assert_eq!(
        browser.has(MARK),
        Some(&*expected),
        "itself first, then others, each once, three at the most"
    );
    assert_eq!(browser.look(&stage.sessions).await, (ada(), vec![]));
    browser.set(MARK, format!("{}.old.list", alias("b")));
    assert_eq!(browser.look(&stage.sessions).await, (ada(), vec![]), "the first of the list serves");
}

#[tokio::test]
async fn nested_layers_send_one_mark_and_a_logout_of_one_leaves_it_to_the_other() {
    let (shop, _) = two(Route::Cookie).await;
    let office = shop.another_server(settings(Route::Cookie, "server-one").cookie_name("office")).await;
    let both = async |request: axum::extract::Request| {
        let (shop, office) = (Session::named(&request, "id")?, Session::named(&request, "office")?);
        shop.log_in("ada").await?;
        office.log_in("boss").await
    };
    let leave = async |request: axum::extract::Request, name: &'static str| {
        Session::named(&request, name)?.log_out().await
    };
    let app = Router::new()
        .route("/both", axum::routing::get(both))
        .route("/id", axum::routing::get(async move |request| leave(request, "id").await))
        .route("/office", axum::routing::get(async move |request| leave(request, "office").await))
        .layer(shop.sessions.layer())
        .layer(office.layer());
    let get = async |browser: &mut Browser, path: &str| {
        let mut request = browser.request();
        *request.uri_mut() = path.parse().unwrap();
        let answer = Answer::of(app.clone().oneshot(request).await.unwrap());
        answer.is_ok();
        browser.keep(&answer);
        answer.set_cookies()
    };
    for (first, second) in [("/id", "/office"), ("/office", "/id")] {
        let mut browser = Browser::default();
        let cookies = get(&mut browser, "/both").await;
        assert_eq!(cookies.iter().filter(|cookie| cookie.starts_with(MARK)).count(), 1, "{cookies:?}");
        assert_eq!(cookies.len(), 3);
        get(&mut browser, first).await;
        assert_eq!(browser.has(MARK), Some(&*alias("server-one")), "{first}: the other session goes by it");
        get(&mut browser, second).await;
        assert!(browser.0.is_empty(), "{first}, {second}");
    }
}

#[tokio::test]
async fn settings_of_routes_that_make_no_sense_are_refused() {
    let refused = async |config: Config| config.open().await.unwrap_err().to_string();
    let on = || Config::new().route(Route::Cookie).node("a");
    assert_eq!(refused(on()).await, "route is on without an alias, expected route_key_file or route_alias");
    assert!(refused(on().route_alias("x").route_key_file("k")).await.contains("expected one"));
    assert!(refused(on().route_alias("A")).await.contains("the node's name"));
    assert!(refused(on().route_alias("a.b")).await.contains("expected 1 to 64 letters, digits"));
    assert!(
        refused(on().route_alias("x").route_cookie("id")).await.contains("another name than cookie_name")
    );
    assert!(refused(on().route_alias("x").route_cookie("__Host-r")).await.contains("route_cookie"));
    let keyed = Config::new().route(Route::Suffix).route_key_file(KEY_FILE.as_str());
    assert!(refused(keyed).await.contains("without node"));
    let absent = refused(on().route_key_file("/nowhere/key")).await;
    assert!(absent.starts_with("route_key_file /nowhere/key: it cannot be read"), "{absent}");
    let alone = on().route_alias("x").builder().fallback_routes(|_| Vec::new());
    assert!(alone.open().await.unwrap_err().to_string().contains("route_key_file"));
    assert_eq!(on().route_alias("x1").open().await.unwrap().route(), Some("x1"));
}
