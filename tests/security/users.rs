//! A user's sessions, administrators, and the last authentication.

use std::time::SystemTime;

use abide::core::{EndReason, Page};
use abide::event::EventKind;
use abide::{Config, Error, UserSession};
use http::StatusCode;

use crate::stage::{Client, HOUR, MINUTE, SECOND, Stage};

/// The sessions that a client is shown.
async fn list(client: &mut Client) -> Vec<UserSession> {
    let mut found = Vec::new();
    client.ask(async |session| session.user_sessions().await.map(|list| found = list)).await.is_ok();
    found
}

async fn is_signed_in(client: &Client) -> bool {
    client.tab().name().await.is_some()
}

// Row 15.
#[tokio::test]
async fn a_user_lists_the_own_sessions_and_nobody_elses() {
    let stage = Stage::new().await;
    let (mut phone, mut laptop, mut eve) =
        (stage.user("ada").await, stage.user("ada").await, stage.user("eve").await);
    stage.visitor().await;
    let (mine, hers) = (list(&mut laptop).await, list(&mut eve).await);
    assert_eq!((mine.len(), hers.len()), (2, 1));
    assert_eq!(mine.iter().filter(|session| session.current).count(), 1);
    assert!(!mine.iter().any(|session| session.handle == hers[0].handle));
    let here =
        async |session: abide::Session| session.handle().await.map(|handle| handle.unwrap().to_string());
    let handle = phone.ask(here).await.text().await;
    assert!(mine.iter().any(|session| session.handle.to_string() == handle && !session.current));
    assert!(list(&mut stage.visitor().await).await.is_empty());
}

// Row 15.
#[tokio::test]
async fn a_user_ends_one_session_or_all_but_this_one() {
    let stage = Stage::new().await;
    let (lost, tablet, mut laptop) =
        (stage.user("ada").await, stage.user("ada").await, stage.user("ada").await);
    let (bystander, handle) = (stage.user("eve").await, lost.token().key().handle());
    let ended =
        laptop.ask(async |session| session.end_one(&handle).await.map(|ended| ended.to_string())).await;
    assert_eq!(ended.text().await, "true");
    assert!(!is_signed_in(&lost).await && is_signed_in(&tablet).await && is_signed_in(&laptop).await);
    let ended = laptop.ask(async |session| session.end_others().await.map(|ended| ended.to_string())).await;
    assert_eq!(ended.text().await, "1");
    assert!(!is_signed_in(&tablet).await && is_signed_in(&laptop).await && is_signed_in(&bystander).await);
}

// Row 15.
#[tokio::test]
async fn a_handle_ends_nothing_outside_of_its_users_own_list() {
    let stage = Stage::new().await;
    let (ada, mut eve) = (stage.user("ada").await, stage.user("eve").await);
    let handle = ada.token().key().handle();
    for client in [&mut eve, &mut stage.visitor().await, &mut stage.client()] {
        let end =
            async |session: abide::Session| session.end_one(&handle).await.map(|ended| ended.to_string());
        assert_eq!(client.ask(end).await.text().await, "false");
    }
    assert!(is_signed_in(&ada).await);
}

// Row 16.
#[tokio::test]
async fn an_administrator_lists_and_ends_a_users_sessions_one_or_all_on_every_server() {
    let stage = Stage::new().await;
    let admin = stage.another_server(Config::new()).await;
    let (one, two, eve) = (stage.user("ada").await, stage.user("ada").await, stage.user("eve").await);
    assert_eq!(admin.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 2);
    assert!(admin.of_user("nobody", &Page::default()).await.unwrap().sessions.is_empty());
    let handle = one.token().key().handle();
    assert!(!admin.end("eve", &handle).await.unwrap());
    assert!(admin.end("ada", &handle).await.unwrap() && !admin.end("ada", &handle).await.unwrap());
    assert!(!is_signed_in(&one).await && is_signed_in(&two).await);
    assert_eq!(admin.end_user("ada").await.unwrap(), 1);
    assert!(!is_signed_in(&two).await && is_signed_in(&eve).await);
}

// Row 16.
#[tokio::test]
async fn an_administrator_ends_every_session() {
    let stage = Stage::new().await;
    let (ada, eve, mut visitor) = (stage.user("ada").await, stage.user("eve").await, stage.visitor().await);
    assert_eq!(stage.sessions.end_all().await.unwrap(), 3);
    assert!(!is_signed_in(&ada).await && !is_signed_in(&eve).await);
    assert_eq!(visitor.get("n").await, None);
    stage.clock.advance(SECOND);
    assert!(is_signed_in(&stage.user("ada").await).await, "and whoever signs in afterwards is in");
}

// Row 16.
#[tokio::test]
async fn a_login_that_was_under_way_when_the_users_sessions_were_ended_is_refused() {
    let stage = Stage::new().await;
    for mut client in [stage.client(), stage.visitor().await] {
        let answer = client
            .ask(async |session| {
                session.get::<i64>("n").await?;
                stage.clock.advance(SECOND);
                stage.sessions.end_user("ada").await?;
                session.log_in("ada").await
            })
            .await;
        assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::CONFLICT, 0));
    }
    assert!(stage.sessions.of_user("ada", &Page::default()).await.unwrap().sessions.is_empty());
}

// Row 17.
#[tokio::test]
async fn beyond_the_limit_the_oldest_browser_is_out_and_the_newest_is_in() {
    let stage = Stage::with(Config::new().sessions_per_user(2)).await;
    let bystander = stage.user("eve").await;
    let mut browsers = Vec::new();
    for n in 0..5 {
        stage.clock.advance(SECOND);
        // Also by a login into a session that was there before.
        let mut browser = if n % 2 == 0 { stage.client() } else { stage.visitor().await };
        stage.events.clear();
        browser.log_in("ada").await.is_ok();
        let told = stage.events.take();
        let limited = told.iter().filter(|event| **event == EventKind::Ended(EndReason::Limit)).count();
        assert_eq!(limited, usize::from(n >= 2), "{told:?}");
        browsers.push(browser);
        let mut signed_in = Vec::new();
        for browser in &browsers {
            signed_in.push(is_signed_in(browser).await);
        }
        let expected: Vec<_> = (0..=n).map(|browser| browser + 2 > n).collect();
        assert_eq!(signed_in, expected, "after login {n}");
    }
    // To sign in again is no session more.
    stage.clock.advance(SECOND);
    browsers[3].log_in("ada").await.is_ok();
    assert!(is_signed_in(&browsers[3]).await && is_signed_in(&browsers[4]).await);
    assert!(is_signed_in(&bystander).await);
}

// Row 17.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn logins_at_the_same_time_leave_no_more_than_the_limit() {
    let stage = Stage::with(Config::new().sessions_per_user(3)).await;
    let mut logins = tokio::task::JoinSet::new();
    for n in 0..12 {
        let mut client = if n % 2 == 0 { stage.client() } else { stage.visitor().await };
        logins.spawn(async move {
            client.log_in("ada").await.is_ok();
            client
        });
    }
    let mut signed_in = 0;
    for client in logins.join_all().await {
        signed_in += usize::from(is_signed_in(&client).await);
    }
    assert_eq!(signed_in, 3);
    assert_eq!(stage.sessions.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 3);
}

// Row 17.
#[tokio::test]
async fn without_a_limit_a_user_has_as_many_sessions_as_logins() {
    let stage = Stage::new().await;
    for _ in 0..20 {
        stage.user("ada").await;
    }
    assert_eq!(stage.sessions.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 20);
}

/// When the client's user last proved who they are.
async fn authenticated_at(client: &mut Client) -> Option<SystemTime> {
    let mut found = None;
    let look = async |session: abide::Session| {
        found = session.deadlines().await?.and_then(|deadlines| deadlines.authenticated_at);
        Ok::<_, Error>(())
    };
    client.ask(look).await.is_ok();
    found
}

// Row 18.
#[tokio::test]
async fn the_time_of_the_last_authentication_is_kept_and_only_a_login_moves_it() {
    let stage = Stage::with(Config::new().renew_every(10 * MINUTE)).await;
    let mut client = stage.visitor().await;
    assert_eq!(authenticated_at(&mut client).await, None);
    client.log_in("ada").await.is_ok();
    let first = authenticated_at(&mut client).await.unwrap();
    for n in 0..6 {
        stage.clock.advance(10 * MINUTE);
        client.insert("n", n).await.is_ok();
        client.ask(async |session| session.renew().await).await.is_ok();
        assert_eq!(authenticated_at(&mut client).await, Some(first));
    }
    client.log_in("ada").await.is_ok();
    assert_eq!(authenticated_at(&mut client).await, Some(first + HOUR));
    client.ask(async |session| session.log_out_user(abide::Keep::All).await).await.is_ok();
    assert_eq!(authenticated_at(&mut client).await, None);
}
