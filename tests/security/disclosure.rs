//! What is logged and told, and what is never shown.

use std::cell::RefCell;
use std::error::Error as _;
use std::io;
use std::sync::{Arc, Mutex};

use abide::core::{Changes, EndReason, NewEra, NewRecord, Secret, Stamps, Token};
use abide::event::{Event, EventKind};
use abide::{Config, LogIn};
use http::header::SET_COOKIE;

use crate::stage::{Client, MINUTE, Stage};
use crate::{token_bytes, token_text};

/// A value that must not be seen.
const VALUE: &str = "hunter2hunter2";

/// Every form in which something may leak: as text, and as bytes in the ways that `Debug` writes them.
fn forms(bytes: &[u8]) -> Vec<String> {
    let decimal = format!("{bytes:?}");
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut forms = vec![decimal[1..decimal.len() - 1].to_owned(), hex.to_uppercase(), hex];
    forms.extend(std::str::from_utf8(bytes).map(str::to_owned));
    forms
}

/// Checks that a text shows no part of the token, and not the value.
#[track_caller]
fn shows_no_secret(shown: &str, client: &Client) {
    let (text, bytes) = (token_text(client), token_bytes(client));
    let mut secrets = vec![text[..20].to_owned(), text[23..].to_owned()];
    for part in [&bytes[..8], &bytes[8..16], &bytes[16..24], &bytes[24..], VALUE.as_bytes()] {
        secrets.extend(forms(part));
    }
    for secret in secrets {
        assert!(!shown.contains(&secret), "{secret:?} in {shown}");
    }
}

async fn with_value(stage: &Stage) -> Client {
    let mut client = stage.user("ada").await;
    client.ask(async |session| session.insert("password", VALUE)).await.is_ok();
    client
}

// Row 25.
#[tokio::test]
async fn debug_of_a_session_and_of_what_stands_around_it_shows_no_token_and_no_value() {
    let stage = Stage::new().await;
    let mut client = with_value(&stage).await;
    let mut shown = String::new();
    client
        .ask(async |session| {
            shown += &format!("{session:?}");
            session.insert("other", VALUE)?;
            shown += &format!("{session:?}");
            session.user().await?;
            shown +=
                &format!("{session:?} {:?} {:?}", session.handle().await?, session.user_sessions().await?);
            Ok::<_, abide::Error>(())
        })
        .await
        .is_ok();
    assert!(
        shown.contains(&client.token().key().handle().short()),
        "this is how a session is known: {shown}"
    );
    let loaded = stage.stored(&client).await.unwrap();
    shown += &format!("{:?} {:?} {:?}", stage.sessions, stage.sessions.layer(), loaded);
    shown += &format!("{:?} {:?}", client.token(), client.token().key());
    shows_no_secret(&shown, &client);
}

// Row 25.
#[tokio::test]
async fn debug_of_what_a_store_is_given_shows_no_secret_and_no_value() {
    let stage = Stage::new().await;
    let client = with_value(&stage).await;
    let (stamps, now) = (Stamps::new(1), abide::core::Timestamp::from_millis(1));
    let (token, nonce) = (client.token(), [0xA5; 16]);
    let secret = Secret::from_bytes(token_bytes(&client)[16..].try_into().unwrap());
    let era = stage.stored(&client).await.unwrap().record.era().unwrap().id();
    let mut changes = Changes::new(stamps.next(now), era);
    changes.set("password", VALUE.as_bytes());
    changes.update("other", None, Some(VALUE.as_bytes().into()));
    changes.open_era(NewEra::new(nonce, token.verifier(), now));
    let new =
        NewRecord::new(stamps.next(now), nonce, token.verifier(), now).value("password", VALUE.as_bytes());
    let shown = format!("{changes:?} {new:?} {secret:?} {:?}", token.verifier());
    shows_no_secret(&shown, &client);
    for form in forms(&nonce) {
        assert!(!shown.contains(&form), "the seed of the session's CSRF token: {shown}");
    }
    for form in forms(&token.verifier().as_bytes()[..]) {
        assert!(!shown.contains(&form), "{shown}");
    }
}

// Row 25.
#[tokio::test]
async fn neither_debug_nor_display_of_an_error_or_of_its_causes_shows_a_token_or_a_value() {
    let stage = Stage::with(Config::new().max_session_bytes(1024)).await;
    let mut client = with_value(&stage).await;
    let mut errors = Vec::new();
    client
        .ask(async |session| {
            errors.extend(session.get::<u32>("password").await.err());
            errors.extend(session.update("password", |_: Option<u32>| 0).await.err());
            errors.extend(session.increment("password", 1).await.err());
            session.insert("large", &VALUE.repeat(100)).unwrap();
            errors.extend(session.save().await.err());
        })
        .await;
    assert_eq!(errors.len(), 4, "{errors:?}");
    for error in errors {
        let mut shown = format!("{error:?} {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            shown += &format!(" {error:?} {error}");
            cause = error.source();
        }
        shows_no_secret(&shown, &client);
    }
    let text = format!("{:?} {0}", Token::parse(&token_text(&client).as_bytes()[..42]).unwrap_err());
    shows_no_secret(&text, &client);
}

// Row 25.
#[tokio::test]
async fn a_password_in_the_stores_url_is_never_shown() {
    for url in ["memory://ada:hunter2@host/?token=hunter2", "nonsense://:hunter2@host", "hunter2"] {
        let config = Config::new().store(url);
        let mut shown = format!("{config:?} {:?}", config.clone().builder());
        let error = config.open().await.unwrap_err();
        shown += &format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}

// Row 25.
#[tokio::test]
async fn a_set_cookie_header_is_marked_as_sensitive() {
    let stage = Stage::new().await;
    let mut client = stage.client();
    let set = client.log_in("ada").await;
    assert!(set.headers[SET_COOKIE].is_sensitive());
    shows_no_secret(&format!("{:?}", set.headers), &client);
    assert!(format!("{:?}", LogIn::new("ada")).contains("ada"), "a user's name is no secret");
}

thread_local! {
    /// What is logged on this thread: each test has its own.
    static LOG: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Writes to the log of the thread. It is there for all threads, for whether an event is logged at all is decided once
/// for the whole process.
struct Log;

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        LOG.with_borrow_mut(|log| log.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

// Row 25.
#[tokio::test]
async fn the_life_of_a_session_is_logged_and_shows_it_only_as_the_start_of_its_handle() {
    let subscriber = tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false);
    tracing::subscriber::set_global_default(subscriber.with_writer(|| Log).finish()).unwrap();
    let stage = Stage::with(Config::new().renew_every(MINUTE)).await;
    let mut client = with_value(&stage).await;
    let mut old = client.tab();
    stage.clock.advance(MINUTE);
    client.name().await;
    client.name().await;
    stage.clock.advance(MINUTE);
    old.name().await;
    let tokens = [old, client.tab()];
    client.log_out().await.is_ok();
    client.cookie = tokens[1].cookie.clone();
    client.name().await;
    let logged = String::from_utf8(LOG.take()).unwrap();
    for event in ["created", "logged_in", "renewed", "stale_token", "ended", "unknown_token"] {
        assert!(logged.contains(&format!("event=\"{event}\"")), "{event}: {logged}");
    }
    let handle = tokens[0].token().key().handle();
    assert!(logged.contains(&handle.short()) && !logged.contains(&handle.to_string()), "{logged}");
    assert!(!logged.contains("ada"), "{logged}");
    for client in tokens {
        shows_no_secret(&logged, &client);
    }
}

// Row 25.
#[tokio::test]
async fn an_event_shows_a_session_only_as_the_start_of_its_handle() {
    let events: Arc<Mutex<Vec<Event>>> = Arc::default();
    let told = events.clone();
    let listen = move |event: &Event| told.lock().unwrap().push(*event);
    let stage = Stage::built(Config::new(), |builder| builder.on_event(listen)).await;
    let mut client = with_value(&stage).await;
    let tab = client.tab();
    client.log_out().await.is_ok();
    let events = events.lock().unwrap();
    let kinds: Vec<_> = events.iter().map(|event| event.kind).collect();
    assert_eq!(kinds, [EventKind::Created, EventKind::LoggedIn, EventKind::Ended(EndReason::LoggedOut)]);
    let shown = format!("{events:?}");
    assert!(shown.contains(&tab.token().key().handle().short()), "{shown}");
    shows_no_secret(&shown, &tab);
}

// Row 25.
#[tokio::test]
async fn an_end_of_many_sessions_at_once_is_told_with_their_number() {
    let stage = Stage::new().await;
    let mut ada = stage.user("ada").await;
    for _ in 0..2 {
        stage.user("ada").await;
    }
    stage.events.clear();
    ada.ask(async |session| session.end_others().await.map(drop)).await.is_ok();
    assert_eq!(stage.events.take(), [EventKind::EndedMany(EndReason::EndedByUser, 2)]);
    stage.sessions.end_user("ada").await.unwrap();
    stage.sessions.end_all().await.unwrap();
    let by_administrator = |count| EventKind::EndedMany(EndReason::EndedByAdministrator, count);
    assert_eq!(stage.events.take(), [by_administrator(1), by_administrator(0)]);
}

// Row 26.
#[tokio::test]
async fn guessing_and_copied_tokens_can_be_watched() {
    let stage = Stage::with(Config::new().renew_every(MINUTE)).await;
    let mut client = stage.user("ada").await;
    let copied = client.tab();
    stage.clock.advance(MINUTE);
    client.name().await;
    client.name().await;
    stage.clock.advance(MINUTE);
    stage.events.clear();
    let guess = |token: Token| {
        let mut client = stage.client();
        client.cookie = Some(format!("__Host-id={}", token.encode()));
        client
    };
    guess(Token::from_bytes([7; 32])).name().await;
    assert_eq!(stage.events.take(), [EventKind::UnknownToken], "no such session");
    guess(Token::new(*client.token().key(), Secret::from_bytes([7; 16]))).name().await;
    assert_eq!(stage.events.take(), [EventKind::UnknownToken], "a wrong secret");
    copied.tab().name().await;
    assert_eq!(stage.events.take(), [EventKind::StaleToken]);
    stage.client().name().await;
    client.name().await;
    assert!(!stage.events.take().contains(&EventKind::UnknownToken));
}
