//! Cookies in and out: several of one name, and what else stands in the headers.

use abide::Session;
use abide::core::Token;
use abide_harness::Method;
use axum::body::Body;
use axum::response::IntoResponse;
use http::header::{CACHE_CONTROL, COOKIE, SET_COOKIE};
use http::{HeaderMap, HeaderValue, Request};

use crate::stage::{Answer, Client, SECOND, Stage, ask};

/// Sends `Cookie` headers as they are, and answers who is signed in, or else the number under `n`.
async fn who(stage: &Stage, headers: &[String]) -> String {
    let mut request = Request::new(Body::empty());
    for header in headers {
        request.headers_mut().append(COOKIE, header.parse().unwrap());
    }
    let who = async |session: Session| match session.user().await? {
        Some(user) => Ok::<_, abide::Error>(user.to_string()),
        None => Ok(session.get::<i64>("n").await?.map_or("nobody".to_owned(), |n| n.to_string())),
    };
    ask(&stage.sessions, request, who).await.text().await
}

fn cookie(client: &Client) -> &str {
    client.cookie.as_deref().unwrap()
}

/// Two cookies, in both orders, in one header and in two.
async fn who_of_both(stage: &Stage, one: &str, two: &str) -> Vec<String> {
    let mut answers = Vec::new();
    for (one, two) in [(one, two), (two, one)] {
        answers.push(who(stage, &[format!("theme=dark; {one}; {two}")]).await);
        answers.push(who(stage, &[format!("{one}; theme=dark"), two.to_owned()]).await);
    }
    answers
}

#[tokio::test]
async fn a_session_is_found_in_any_of_several_cookie_headers() {
    let stage = Stage::new().await;
    let ada = stage.user("ada").await;
    let headers = ["theme=dark".to_owned(), format!("a=b;{};c=d", cookie(&ada)), "e=f".to_owned()];
    assert_eq!(who(&stage, &headers).await, "ada");
}

#[tokio::test]
async fn of_two_cookies_a_signed_in_session_beats_an_anonymous_one() {
    let stage = Stage::new().await;
    let ada = stage.user("ada").await;
    stage.clock.advance(SECOND);
    let later = stage.visitor().await;
    assert_eq!(who_of_both(&stage, cookie(&ada), cookie(&later)).await, ["ada"; 4]);
}

#[tokio::test]
async fn of_two_signed_in_sessions_the_later_login_counts() {
    let stage = Stage::new().await;
    let mut first = stage.visitor().await;
    let earlier = stage.user("earlier").await;
    stage.clock.advance(SECOND);
    first.log_in("later").await.is_ok();
    assert_eq!(who_of_both(&stage, cookie(&earlier), cookie(&first)).await, ["later"; 4]);
}

#[tokio::test]
async fn a_cookie_that_does_not_verify_never_hides_a_good_one() {
    let stage = Stage::new().await;
    let (ada, mut gone) = (stage.user("ada").await, stage.user("gone").await);
    let dead = cookie(&gone).to_owned();
    gone.log_out().await.is_ok();
    for stray in [dead.as_str(), "__Host-id=", "__Host-id=nonsense", &format!("__Host-id={}", "A".repeat(43))]
    {
        assert_eq!(who_of_both(&stage, cookie(&ada), stray).await, ["ada"; 4], "{stray}");
    }
}

#[tokio::test]
async fn a_cookie_whose_name_only_ends_or_begins_like_ours_is_none_of_ours() {
    let stage = Stage::new().await;
    let ada = stage.user("ada").await;
    let value = cookie(&ada).strip_prefix("__Host-id").unwrap();
    for name in ["id", "x__Host-id", "__Host-id2", "__host-id", "__Secure-id"] {
        assert_eq!(who(&stage, &[format!("{name}{value}")]).await, "nobody", "{name}");
    }
}

#[tokio::test]
async fn cookies_and_cache_control_of_the_handler_are_kept() {
    let stage = Stage::new().await;
    let answer = stage
        .client()
        .ask(async |session| {
            session.insert("n", &1).unwrap();
            let mut headers = HeaderMap::new();
            headers.append(SET_COOKIE, HeaderValue::from_static("theme=dark"));
            headers.append(SET_COOKIE, HeaderValue::from_static("lang=en"));
            headers.append(CACHE_CONTROL, HeaderValue::from_static("private, max-age=5"));
            headers
        })
        .await;
    let cookies = answer.set_cookies();
    assert_eq!(cookies[..2], ["theme=dark", "lang=en"]);
    assert!(cookies.len() == 3 && cookies[2].starts_with("__Host-id="), "{cookies:?}");
    let policies: Vec<_> = answer.headers.get_all(CACHE_CONTROL).iter().collect();
    assert_eq!(policies, ["private, max-age=5"]);
}

/// Checks that an answer says nothing about cookies or caches.
fn says_nothing(answer: &Answer) {
    answer.is_ok();
    assert!(answer.set_cookies().is_empty() && !answer.headers.contains_key(CACHE_CONTROL), "{answer:?}");
}

#[tokio::test]
async fn without_a_new_token_no_cookie_is_sent() {
    let stage = Stage::new().await;
    says_nothing(&stage.client().ask(async |_| ()).await);
    says_nothing(&stage.client().ask(async |session| session.get::<i64>("n").await.map(drop)).await);
    let mut client = stage.visitor().await;
    says_nothing(&client.ask(async |_| ()).await);
    says_nothing(&client.ask(async |session| session.get::<i64>("n").await.map(drop)).await);
    says_nothing(&client.insert("n", 2).await);
    says_nothing(&client.ask(async |session| session.increment("n", 1).await.map(drop)).await);
    says_nothing(&client.ask(async |session| session.clear()).await);
}

#[tokio::test]
async fn a_session_made_and_ended_in_one_request_leaves_no_token_behind() {
    let stage = Stage::new().await;
    let answer = stage
        .client()
        .ask(async |session| {
            session.log_in("ada").await?;
            session.log_out().await.map(IntoResponse::into_response)
        })
        .await;
    let cookies = answer.set_cookies();
    assert!(cookies.len() == 1 && cookies[0].contains("Max-Age=0"), "{cookies:?}");
}

#[tokio::test]
async fn however_many_cookies_of_our_name_come_at_most_four_are_looked_up() {
    let stage = Stage::new().await;
    let flood: String =
        (0..100).map(|n| format!("__Host-id={}; ", Token::from_bytes([n; 32]).encode())).collect();
    assert_eq!(who(&stage, &[flood.clone(), flood]).await, "nobody");
    assert_eq!(stage.store.calls(Method::Load), 4);
}
