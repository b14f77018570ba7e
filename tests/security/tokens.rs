//! What a token is, where it counts, and what is kept of it.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use abide::core::{Entropy, Error, ErrorKind, Secret, SystemEntropy, Token, codec};
use abide::{Config, Session};
use abide_harness::Method;
use axum::Router;
use axum::body::Body;
use axum::routing::any;
use http::{HeaderName, Request, StatusCode};
use tower::ServiceExt as _;

use crate::stage::{Answer, Client, HOUR, Stage};
use crate::{token_bytes, token_text};

// Row 1.
#[tokio::test]
async fn a_token_is_256_random_bits_in_which_no_bit_stands_still() {
    const TOKENS: usize = 400;
    let stage = Stage::new().await;
    let (mut seen, mut ones) = (HashSet::new(), [0_usize; 256]);
    for _ in 0..TOKENS {
        let bytes = token_bytes(&stage.visitor().await);
        assert!(
            seen.insert(bytes[..16].to_vec()) && seen.insert(bytes[16..].to_vec()),
            "twice the same half"
        );
        for (bit, ones) in ones.iter_mut().enumerate() {
            *ones += usize::from(bytes[bit / 8] >> (bit % 8) & 1);
        }
    }
    // The chance that a fair bit is outside of this is below 1 in 10^20; a version field of a UUID is at 0 or 400.
    let fair = TOKENS / 4..=TOKENS * 3 / 4;
    assert!(ones.iter().all(|ones| fair.contains(ones)), "{ones:?}");
}

/// A random source that fails on demand.
#[derive(Debug, Default)]
struct Dry(AtomicBool);

impl Entropy for Dry {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        if self.0.load(Ordering::SeqCst) {
            return Err(ErrorKind::Unavailable.into());
        }
        SystemEntropy.fill(bytes)
    }
}

// Row 1.
#[tokio::test]
async fn where_the_random_source_fails_no_token_is_minted() {
    let dry = Arc::new(Dry::default());
    let stage = Stage::built(Config::new(), |builder| builder.entropy(dry.clone())).await;
    let mut client = stage.user("ada").await;
    let good = client.cookie.clone();
    dry.0.store(true, Ordering::SeqCst);
    for answer in [
        stage.client().insert("n", 1).await,
        stage.client().log_in("ada").await,
        client.log_in("ada").await,
        client.ask(async |session| session.renew().await).await,
    ] {
        assert_eq!(answer.status, StatusCode::SERVICE_UNAVAILABLE);
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
    }
    assert_eq!(stage.store.calls(Method::Create), 1);
    assert_eq!((client.name().await.as_deref(), client.cookie), (Some("ada"), good));
}

// Row 2.
#[tokio::test]
async fn the_cookie_has_a_generic_name_and_says_nothing_of_the_user_the_server_or_the_framework() {
    let stage = Stage::with(Config::new().node("node-7")).await;
    let mut client = stage.client();
    let cookie = client.log_in("ada@example.org").await.set_cookies().remove(0);
    let (name, value) = client.cookie.as_deref().unwrap().split_once('=').unwrap();
    assert_eq!((name, value.len()), ("__Host-id", Token::ENCODED_LEN));
    assert!(value.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'));
    for word in ["ada", "example", "node", "abide", "session", "memory"] {
        assert!(!cookie.replace(value, "").to_lowercase().contains(word), "{word}: {cookie}");
    }
    let again = stage.user("ada@example.org").await;
    let (one, two) = (token_bytes(&client), token_bytes(&again));
    let shared = one.iter().zip(two).filter(|(one, two)| *one == two).count();
    assert!(shared < 8, "two tokens of one user have {shared} bytes in common");
}

// Row 3.
#[tokio::test]
async fn a_token_counts_in_the_cookie_alone() {
    let stage = Stage::new().await;
    let ada = stage.user("ada").await;
    let token = token_text(&ada);
    let who = async |session: Session| session.user().await.map(|user| user.unwrap_or_default().to_string());
    let app: Router = Router::new().route("/{*path}", any(who)).layer(stage.sessions.layer());
    let send = async |request: Request<String>| {
        Answer::of(app.clone().oneshot(request.map(Body::from)).await.unwrap()).text().await
    };
    let headers = ["authorization", "x-session-id", "x-id", "id", "__host-id", "set-cookie", "cookie2"];
    let pair = format!("__Host-id={token}");
    for uri in [
        format!("/a?__Host-id={token}"),
        format!("/a?id={token}&session={token}"),
        format!("/{token}"),
        format!("/a;__Host-id={token}"),
        "/a".to_owned(),
    ] {
        let mut request = Request::post(uri).body(pair.clone()).unwrap();
        for name in headers {
            let value = if name == "authorization" { format!("Bearer {token}") } else { pair.clone() };
            request.headers_mut().insert(HeaderName::from_static(name), value.parse().unwrap());
        }
        assert_eq!(send(request).await, "");
    }
    let request = Request::post("/a").header("cookie", pair).body(String::new()).unwrap();
    assert_eq!(send(request).await, "ada");
}

// Row 7.
#[tokio::test]
async fn a_malformed_token_is_refused_before_any_look_up() {
    let stage = Stage::new().await;
    let good = token_text(&stage.user("ada").await);
    let calls = stage.store.all_calls();
    for bad in [
        String::new(),
        good[..42].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!("\"{good}\""),
        good.replace(&good[..1], "+"),
        format!("{}\u{e9}", &good[..41]),
        "../../etc/passwd".to_owned(),
        "A".repeat(5_000),
    ] {
        let mut client = stage.client();
        client.cookie = Some(format!("__Host-id={bad}"));
        assert_eq!(client.name().await, None, "{bad}");
    }
    assert_eq!(stage.store.all_calls(), calls);
}

// Row 7.
#[tokio::test]
async fn a_token_that_names_no_live_session_is_never_adopted() {
    let stage = Stage::new().await;
    let mut over = stage.user("ada").await;
    let ended = over.tab();
    over.log_out().await.is_ok();
    let live = stage.user("ada").await;
    let guessed = Token::new(*live.token().key(), Secret::from_bytes([7; 16]));
    for planted in [Token::from_bytes([7; 32]), ended.token(), guessed] {
        for write in [true, false] {
            let mut client = stage.client();
            client.cookie = Some(format!("__Host-id={}", planted.encode()));
            if write { client.insert("n", 1).await } else { client.log_in("eve").await }.is_ok();
            assert_ne!(client.token().key(), planted.key(), "a key of the server's own");
        }
    }
    let mut live = live;
    assert_eq!((live.name().await.as_deref(), live.get("n").await), (Some("ada"), None));
    assert!(stage.stored(&ended).await.is_none());
}

/// What is at rest of a client's session.
async fn dump(stage: &Stage, client: &Client) -> Vec<u8> {
    codec::encode(&stage.stored(client).await.unwrap().record).unwrap()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

// Row 20.
#[tokio::test]
async fn a_dump_of_the_store_holds_no_token_neither_as_text_nor_as_bytes() {
    let stage = Stage::with(Config::new().renew_every(HOUR / 4)).await;
    let mut client = stage.visitor().await;
    let mut secrets = vec![(token_text(&client), token_bytes(&client))];
    client.log_in("ada").await.is_ok();
    secrets.push((token_text(&client), token_bytes(&client)));
    stage.clock.advance(HOUR / 4);
    client.name().await;
    secrets.push((token_text(&client), token_bytes(&client)));
    let dump = dump(&stage, &client).await;
    assert!(contains(&dump, b"ada"), "this is what is stored");
    for (text, bytes) in secrets {
        assert!(!contains(&dump, &text.as_bytes()[22..34]), "the secret's text");
        assert!(!contains(&dump, &bytes[16..24]) && !contains(&dump, &bytes[24..]), "the secret's bytes");
    }
}

// Row 20.
#[tokio::test]
async fn whoever_reads_the_store_and_knows_every_key_is_still_nobody() {
    let stage = Stage::new().await;
    let client = stage.user("ada").await;
    let dump = dump(&stage, &client).await;
    for window in dump.windows(16) {
        let forged = Token::new(*client.token().key(), Secret::from_bytes(window.try_into().unwrap()));
        let mut thief = client.tab();
        thief.cookie = Some(format!("__Host-id={}", forged.encode()));
        assert_eq!(thief.name().await, None);
    }
}
