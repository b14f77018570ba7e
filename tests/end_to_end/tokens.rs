//! Old, made-up and broken tokens.

use abide_harness::{Browser, Node};
use http::{HeaderValue, StatusCode};

#[tokio::test]
async fn after_a_renewal_and_after_a_login_the_old_token_is_dead() {
    let node = Node::start(&[]).await;
    for path in ["/renew", "/login"] {
        let mut browser = Browser::new(node.address);
        browser.log_in("ada").await;
        browser.put("/values/k", "7").await;
        let mut old = browser.tab();
        let answer = browser.post(path, r#"{"user":"ada"}"#).await;
        assert!(answer.status.is_success(), "{answer:?}");
        assert_ne!(old.cookie, browser.cookie, "{path}");
        assert_eq!(old.get("/me").await.status, StatusCode::UNAUTHORIZED, "{path}");
        assert_eq!(browser.get("/me").await.json()["user"], "ada");
        assert_eq!(browser.get("/values/k").await.json(), 7, "values are kept: {path}");
    }
}

#[tokio::test]
async fn a_cookie_that_is_no_live_token_is_never_adopted_and_never_an_error() {
    let node = Node::start(&[]).await;
    let mut real = Browser::new(node.address);
    real.log_in("ada").await;
    let real = real.cookie.unwrap();
    for bad in bad_cookies(real.as_bytes()) {
        let mut browser = Browser::new(node.address);
        browser.cookie = Some(HeaderValue::from_bytes(&bad).unwrap());
        assert_eq!(browser.get("/me").await.status, StatusCode::UNAUTHORIZED, "{bad:?}");
        assert_eq!(browser.get("/untouched").await.status, StatusCode::OK, "{bad:?}");
        let written = browser.put("/values/k", "1").await;
        assert_eq!(written.status, StatusCode::NO_CONTENT, "{bad:?}");
        let cookie = browser.cookie.clone().unwrap();
        assert_eq!(written.set_cookies().len(), 1, "a token of the server's own: {bad:?}");
        assert!(cookie.as_bytes() != bad && cookie.as_bytes()[..25] != real.as_bytes()[..25], "{bad:?}");
        assert_eq!(browser.get("/values/k").await.json(), 1);
    }
}

fn bad_cookies(real: &[u8]) -> Vec<Vec<u8>> {
    let text = |text: &str| text.as_bytes().to_vec();
    let other_secret = [&real[..real.len() - 10], b"AAAAAAAAAA"].concat();
    vec![
        text(&format!("id={}", "A".repeat(43))),
        other_secret,
        real[..real.len() - 1].to_vec(),
        [real, b"A"].concat(),
        [real, b"=="].concat(),
        text(&format!("id={}", "A".repeat(6_000))),
        b"id=\xFF\xFE\x80binary\xC3\x28".to_vec(),
        text("id="),
        text("id"),
        text(";;;==;id=;;"),
        text(r#"id="; id={\"user\":\"ada\"}"#),
    ]
}

#[tokio::test]
async fn a_stray_cookie_of_the_same_name_does_not_hide_the_good_one() {
    let node = Node::start(&[]).await;
    let mut browser = Browser::new(node.address);
    browser.log_in("ada").await;
    let good = browser.cookie.clone().unwrap();
    let stray = format!("id={}", "B".repeat(42) + "A");
    for header in [
        [stray.as_bytes(), b"; ", good.as_bytes()].concat(),
        [good.as_bytes(), b"; ", stray.as_bytes()].concat(),
    ] {
        browser.cookie = Some(HeaderValue::from_bytes(&header).unwrap());
        assert_eq!(browser.get("/me").await.json()["user"], "ada");
    }
}

#[tokio::test]
async fn a_user_sees_and_ends_the_other_sessions() {
    let node = Node::start(&[]).await;
    let (mut phone, mut laptop) = (Browser::new(node.address), Browser::new(node.address));
    phone.log_in("ada").await;
    laptop.log_in("ada").await;
    let sessions = laptop.get("/sessions").await.json();
    let current: Vec<_> =
        sessions.as_array().unwrap().iter().map(|session| session["current"].as_bool()).collect();
    assert_eq!(current.len(), 2, "{sessions}");
    assert!(current.contains(&Some(true)) && current.contains(&Some(false)), "{sessions}");
    assert_eq!(laptop.post("/sessions/end-others", "").await.json()["ended"], 1);
    assert_eq!(phone.get("/me").await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(laptop.get("/me").await.status, StatusCode::OK);
}
