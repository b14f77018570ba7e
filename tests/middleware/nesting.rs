//! Layers within layers, each with its own cookie name and its own sessions.

use abide::{Config, Error, Session, Sessions};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::routing::get;
use http::StatusCode;
use http::header::COOKIE;
use tower::ServiceExt as _;

use crate::stage::{Answer, Stage};

/// The shop's sessions, and those of its back office around them.
struct Nested {
    shop: Stage,
    office: Sessions,
    app: Router,
}

async fn nested() -> Nested {
    let shop = Stage::new().await;
    let office = shop.another_server(Config::new().cookie_name("office")).await;
    let app = Router::new()
        .route("/both", get(both))
        .route("/innermost", get(async |session: Session| session.insert("cart", "tea")))
        .route("/absent", get(async |request: Request| Session::named(&request, "absent").map(drop)))
        .layer(shop.sessions.layer())
        .layer(office.layer());
    Nested { shop, office, app }
}

async fn both(request: Request) -> Result<String, Error> {
    let (shop, office) = (Session::named(&request, "id")?, Session::named(&request, "office")?);
    Ok(format!("{} {}", shop.increment("n", 1).await?, office.increment("n", 10).await?))
}

impl Nested {
    async fn get(&self, path: &str, cookies: &[String]) -> Answer {
        let mut request = Request::get(path).body(Body::empty()).unwrap();
        let cookies: Vec<_> = cookies.iter().map(|cookie| cookie.split(';').next().unwrap()).collect();
        request.headers_mut().insert(COOKIE, cookies.join("; ").parse().unwrap());
        Answer::of(self.app.clone().oneshot(request).await.unwrap())
    }
}

#[tokio::test]
async fn the_innermost_session_is_the_default() {
    let nested = nested().await;
    let answer = nested.get("/innermost", &[]).await;
    let cookies = answer.set_cookies();
    assert!(cookies.len() == 1 && cookies[0].starts_with("__Host-id="), "{cookies:?}");
}

#[tokio::test]
async fn each_session_is_found_by_its_cookie_name_and_sets_its_own_cookie() {
    let nested = nested().await;
    let answer = nested.get("/both", &[]).await;
    let cookies = answer.set_cookies();
    assert_eq!(answer.text().await, "1 10");
    let named = |name| cookies.iter().filter(|cookie| cookie.starts_with(name)).count();
    assert_eq!((cookies.len(), named("__Host-id="), named("__Host-office=")), (2, 1, 1), "{cookies:?}");
    let again = nested.get("/both", &cookies).await;
    assert!(again.set_cookies().is_empty(), "{again:?}");
    assert_eq!(again.text().await, "2 20");
}

#[tokio::test]
async fn one_layers_cookie_opens_nothing_at_the_other() {
    let nested = nested().await;
    let cookies = nested.get("/both", &[]).await.set_cookies();
    let shop = cookies.iter().find(|cookie| cookie.starts_with("__Host-id=")).unwrap();
    let disguised = shop.replace("__Host-id=", "__Host-office=");
    // Both stand on one store here, so a token opens its session under either name; but only the layer whose cookie
    // brings it.
    assert_eq!(nested.get("/both", &[disguised]).await.text().await, "1 11");
}

#[tokio::test]
async fn a_layer_that_is_not_there_is_a_500_that_names_it() {
    let nested = nested().await;
    let answer = nested.get("/absent", &[]).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert!(answer.text().await.contains(r#"session layer named "absent""#));
}

#[tokio::test]
async fn of_two_sessions_in_one_request_a_logout_ends_only_its_own() {
    let nested = nested().await;
    let cookies = nested.get("/both", &[]).await.set_cookies();
    let mut client = nested.shop.client();
    let shop = cookies.iter().find(|cookie| cookie.starts_with("__Host-id=")).unwrap();
    client.cookie = shop.split(';').next().map(str::to_owned);
    client.log_out().await.is_ok();
    assert_eq!(nested.get("/both", &cookies).await.text().await, "1 20");
    assert!(nested.office.ready().await == abide::core::Readiness::Ready);
}
