//! When a token, and when a session, is over.

use std::time::Duration;

use abide::event::EventKind;
use abide::{Config, Keep, Session};
use http::StatusCode;

use crate::stage::{Client, HOUR, MINUTE, SECOND, Stage};

type Change =
    for<'a> fn(&'a Session) -> std::pin::Pin<Box<dyn Future<Output = Result<(), abide::Error>> + 'a>>;

/// Everything that changes who the session is for, or what it may do.
const CHANGES: [(&str, Change); 4] = [
    ("a login", |session| Box::pin(session.log_in("eve"))),
    ("another login of the same user", |session| Box::pin(session.log_in("ada"))),
    ("a change of privileges", |session| Box::pin(session.renew())),
    ("the user's departure", |session| Box::pin(session.log_out_user(Keep::All))),
];

// Row 8.
#[tokio::test]
async fn a_login_and_a_change_of_privileges_make_a_new_token_and_kill_the_old_one_at_once() {
    for (what, change) in CHANGES {
        let stage = Stage::new().await;
        let mut client = stage.user("ada").await;
        client.insert("n", 7).await.is_ok();
        let mut old = client.tab();
        client.ask(async |session| change(&session).await).await.is_ok();
        assert_ne!(client.token(), old.token(), "{what}");
        assert_eq!(client.token().key(), old.token().key(), "{what}: a new secret of the same session");
        assert_eq!((old.name().await, old.get("n").await), (None, None), "{what}");
        assert_eq!(client.get("n").await, Some(7), "{what}");
        old.log_out().await.is_ok();
        assert_eq!(client.get("n").await, Some(7), "{what}: the old token ends nothing");
    }
}

// Row 8.
#[tokio::test]
async fn a_token_planted_before_a_login_knows_nothing_of_the_signed_in_session() {
    let stage = Stage::new().await;
    let mut attacker = stage.visitor().await;
    let mut victim = attacker.tab();
    victim.log_in("ada").await.is_ok();
    victim.insert("secret", 7).await.is_ok();
    assert_eq!((attacker.name().await, attacker.get("secret").await), (None, None));
}

// Row 8.
#[tokio::test]
async fn what_was_begun_before_a_login_or_a_change_of_privileges_is_refused() {
    for (what, change) in CHANGES {
        let stage = Stage::new().await;
        let mut client = stage.user("ada").await;
        let mut tab = client.tab();
        let answer = client
            .ask(async |session| {
                session.user().await?;
                tab.ask(async |session| change(&session).await).await.is_ok();
                session.insert("planted", &1)
            })
            .await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::CONFLICT, 0), "{what}");
        assert_eq!(tab.get("planted").await, None, "{what}");
    }
}

// Row 9.
#[tokio::test]
async fn a_session_out_of_use_is_over_on_the_servers_clock_and_reads_count_as_use() {
    let stage = Stage::with(Config::new().persistent_cookie(true)).await;
    let mut client = stage.user("ada").await;
    for _ in 0..4 {
        stage.clock.advance(26 * MINUTE);
        assert_eq!(client.name().await.as_deref(), Some("ada"));
    }
    stage.clock.advance(30 * MINUTE);
    assert_eq!(client.name().await, None, "whatever the cookie says");
}

// Row 10.
#[tokio::test]
async fn no_activity_slides_the_absolute_timeout() {
    let config = Config::new().absolute_timeout(2 * HOUR).renew_every(10 * MINUTE);
    let stage = Stage::with(config).await;
    let mut client = stage.user("ada").await;
    for n in 1..12 {
        stage.clock.advance(10 * MINUTE);
        client.insert("n", n).await.is_ok();
        client.ask(async |session| session.renew().await).await.is_ok();
        assert_eq!(client.name().await.as_deref(), Some("ada"));
    }
    client.ask(async |session| session.set_idle_timeout(9 * HOUR)).await.is_ok();
    stage.clock.advance(10 * MINUTE);
    assert_eq!(client.name().await, None);
}

// Row 11.
#[tokio::test]
async fn a_token_is_renewed_by_time_with_a_short_grace_and_a_lost_response_logs_nobody_out() {
    let stage = Stage::with(Config::new().renew_every(10 * MINUTE).renew_grace(30 * SECOND)).await;
    let mut client = stage.user("ada").await;
    let is_ada = async |client: &mut Client| client.name().await.is_some();
    stage.clock.advance(10 * MINUTE);
    assert!(is_ada(&mut client.tab()).await, "its new token gets lost with the response");
    stage.clock.advance(10 * MINUTE);
    let mut old = client.tab();
    assert!(is_ada(&mut client).await && client.token() != old.token());
    assert!(is_ada(&mut client).await, "the new token is presented");
    stage.clock.advance(29 * SECOND);
    assert!(is_ada(&mut old.tab()).await, "a request in flight");
    stage.clock.advance(SECOND);
    stage.events.clear();
    assert!(!is_ada(&mut old).await);
    assert_eq!(stage.events.take(), [EventKind::StaleToken]);
}

// Row 12.
#[tokio::test]
async fn a_logout_ends_the_session_on_every_server_and_no_slow_request_brings_it_back() {
    let stage = Stage::new().await;
    let other = stage.another_server(Config::new()).await;
    let mut client = stage.user("ada").await;
    let (mut slow, old) = (client.at(&other), client.tab());
    let answer = slow
        .ask(async |session| {
            session.insert("n", &1)?;
            session.user().await?;
            client.log_out().await.is_ok();
            session.insert("m", &2)
        })
        .await;
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    for mut tab in [old.tab(), old.at(&other), slow] {
        assert_eq!((tab.name().await, tab.get("n").await, tab.get("m").await), (None, None, None));
    }
    assert!(stage.stored(&old).await.is_none());
}

// Row 12.
#[tokio::test]
async fn an_expired_session_is_over_on_every_server_and_no_slow_request_brings_it_back() {
    let stage = Stage::new().await;
    let other = stage.another_server(Config::new()).await;
    let client = stage.user("ada").await;
    let mut slow = client.at(&other);
    let answer = slow
        .ask(async |session| {
            session.user().await?;
            stage.clock.advance(30 * MINUTE);
            session.insert("n", &1)
        })
        .await;
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    for mut tab in [client.tab(), client.at(&other)] {
        assert_eq!(tab.name().await, None);
    }
    assert!(stage.stored(&client).await.is_none());
}

const DAY: Duration = Duration::from_secs(24 * 3600);

// Row 28.
#[tokio::test]
async fn the_presets_hold_what_nist_asks_for() {
    let presets = [
        (Config::new().nist_aal1(), 30 * DAY, 30 * DAY),
        (Config::new().nist_aal2(), HOUR, DAY),
        (Config::new().nist_aal3(), 15 * MINUTE, 12 * HOUR),
    ];
    for (config, idle, absolute) in presets {
        let stage = Stage::with(config).await;
        let mut client = stage.user("ada").await;
        stage.clock.advance(idle - SECOND);
        assert!(client.name().await.is_some(), "used in time, {idle:?}");
        let mut unused = stage.user("ada").await;
        stage.clock.advance(idle);
        assert_eq!(unused.name().await, None, "not used for {idle:?}");
        let mut busy = stage.user("ada").await;
        let step = idle / 2;
        for _ in 1..absolute.as_secs() / step.as_secs() {
            stage.clock.advance(step);
            assert!(busy.name().await.is_some(), "in use, {absolute:?}");
        }
        stage.clock.advance(step);
        assert_eq!(busy.name().await, None, "{absolute:?} after the login");
    }
}
