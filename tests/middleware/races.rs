//! Requests of one session at the same time.
//!
//! Where one must come between the look and the write of another, it is sent from inside the other's handler: so each
//! order is the one that the test names, every time. Where any order will do, tasks run at once on two threads.

use abide::core::{EndOptions, EndReason, SessionStore as _};
use abide::event::EventKind;
use abide::{Error, Keep};
use http::StatusCode;
use tokio::task::JoinSet;

use crate::stage::{Client, Stage};

#[tokio::test]
async fn two_sets_of_different_keys_are_both_kept() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    client
        .ask(async |session| {
            session.insert("a", &1)?;
            session.get::<i64>("n").await?;
            tab.insert("b", 2).await.is_ok();
            Ok::<_, Error>(())
        })
        .await
        .is_ok();
    assert_eq!((client.get("a").await, client.get("b").await), (Some(1), Some(2)));
}

#[tokio::test]
async fn of_two_sets_of_one_key_the_later_commit_counts() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    client
        .ask(async |session| {
            session.insert("n", &10)?;
            tab.insert("n", 20).await.is_ok();
            Ok::<_, Error>(())
        })
        .await
        .is_ok();
    assert_eq!(client.get("n").await, Some(10));
}

#[tokio::test]
async fn an_increment_between_the_look_and_the_write_of_another_counts() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    let answer = client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            tab.ask(async |session| session.increment("n", 10).await.map(drop)).await.is_ok();
            session.increment("n", 100).await.map(|n| n.to_string())
        })
        .await;
    assert_eq!(answer.text().await, "111");
}

#[tokio::test]
async fn a_set_between_the_look_and_the_write_of_an_update_comes_first() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            tab.insert("n", 50).await.is_ok();
            session.update("n", |n: Option<i64>| n.unwrap() * 2).await.map(drop)
        })
        .await
        .is_ok();
    assert_eq!(client.get("n").await, Some(100));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_64_updates_at_once_every_one_is_applied() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tabs = JoinSet::new();
    for n in 0..64_i64 {
        let mut tab = client.tab();
        tabs.spawn(async move {
            tab.ask(async |session| {
                session.insert(&format!("k{n}"), &n)?;
                session
                    .update("list", move |list: Option<Vec<i64>>| {
                        let mut list = list.unwrap_or_default();
                        list.push(n);
                        list
                    })
                    .await?;
                session.increment("n", 1).await.map(drop)
            })
            .await
            .status
        });
    }
    assert!(tabs.join_all().await.iter().all(StatusCode::is_success));
    assert_eq!(client.get("n").await, Some(65));
    let mut list = Vec::new();
    client
        .ask(async |session| session.get::<Vec<i64>>("list").await.map(|l| list = l.unwrap()))
        .await
        .is_ok();
    list.sort_unstable();
    assert_eq!(list, (0..64).collect::<Vec<_>>());
    for n in 0..64 {
        assert_eq!(client.get(&format!("k{n}")).await, Some(n));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_16_updates_by_clones_within_one_request_every_one_is_applied() {
    let stage = Stage::new().await;
    let mut client = stage.client();
    client
        .ask(async |session| {
            let mut clones = JoinSet::new();
            for _ in 0..16 {
                let clone = session.clone();
                clones.spawn(async move { clone.increment("n", 1).await.unwrap() });
            }
            clones.join_all().await;
        })
        .await
        .is_ok();
    assert_eq!(client.get("n").await, Some(16));
}

/// A request that looks, lets `other` come between, and then writes.
async fn write_after(client: &mut Client, other: impl AsyncFnOnce()) -> (StatusCode, usize) {
    let answer = client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            other().await;
            session.insert("role", &1)
        })
        .await;
    (answer.status, answer.set_cookies().len())
}

#[tokio::test]
async fn a_write_begun_before_a_login_is_a_409_and_leaves_nothing_in_the_signed_in_session() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    let answer = write_after(&mut client, async || tab.log_in("ada").await.is_ok()).await;
    assert_eq!(answer, (StatusCode::CONFLICT, 0));
    assert_eq!((tab.get("role").await, tab.get("n").await), (None, Some(1)));
    assert!(stage.events.take().contains(&EventKind::Superseded));
}

#[tokio::test]
async fn a_write_begun_before_a_renewal_by_hand_or_a_departure_is_a_409() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    let renewed = async || tab.ask(async |session| session.renew().await).await.is_ok();
    assert_eq!(write_after(&mut client, renewed).await, (StatusCode::CONFLICT, 0));
    let mut client = tab.tab();
    let left = async || tab.ask(async |session| session.log_out_user(Keep::All).await).await.is_ok();
    assert_eq!(write_after(&mut client, left).await, (StatusCode::CONFLICT, 0));
    assert_eq!((tab.get("role").await, tab.name().await), (None, None));
}

#[tokio::test]
async fn an_update_begun_before_a_login_is_a_409_too() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    let answer = client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            tab.log_in("ada").await.is_ok();
            session.increment("n", 1).await.map(drop)
        })
        .await;
    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert_eq!(tab.get("n").await, Some(1));
}

#[tokio::test]
async fn of_two_logins_one_wins_and_the_other_sends_no_cookie() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut tab = client.tab();
    let answer = client
        .ask(async |session| {
            session.get::<i64>("n").await?;
            tab.log_in("ada").await.is_ok();
            session.log_in("eve").await
        })
        .await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::CONFLICT, 0));
    assert_eq!(tab.name().await.as_deref(), Some("ada"));
    assert_eq!(client.name().await, None, "the loser's token is dead");
}

#[tokio::test]
async fn a_logout_beats_a_write_that_is_under_way() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    let answer = write_after(&mut client, async || tab.log_out().await.is_ok()).await;
    assert_eq!(answer, (StatusCode::OK, 0), "the handler's response passes, without a cookie");
    assert!(stage.stored(&client).await.is_none());
}

#[tokio::test]
async fn a_logout_beats_a_login_that_is_under_way() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let mut tab = client.tab();
    let answer = client
        .ask(async |session| {
            session.user().await?;
            tab.log_out().await.is_ok();
            session.log_in("ada").await
        })
        .await;
    assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::UNAUTHORIZED, 0));
    assert!(stage.stored(&client).await.is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_runs_at_once_with_a_logout_the_session_is_over_afterwards() {
    let stage = Stage::new().await;
    for _ in 0..20 {
        let client = stage.user("ada").await;
        let mut tabs = JoinSet::new();
        for n in 0..8 {
            let mut tab = client.tab();
            tabs.spawn(async move {
                match n % 4 {
                    0 => tab.log_out().await.is_ok(),
                    1 => drop(tab.insert("n", n).await),
                    2 => drop(tab.ask(async |session| session.increment("n", 1).await.map(drop)).await),
                    _ => drop(tab.name().await),
                }
            });
        }
        tabs.join_all().await;
        assert!(stage.stored(&client).await.is_none());
    }
}

#[tokio::test]
async fn writing_after_a_logout_in_one_request_makes_a_session_with_another_key() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    client.insert("n", 1).await.is_ok();
    let mut old = client.tab();
    let answer = client
        .ask(async |session| {
            session.insert("before", &1)?;
            session.log_out().await?;
            session.insert("after", &2)
        })
        .await;
    let cookies = answer.set_cookies();
    assert!(
        cookies.len() == 1 && !cookies[0].contains("Max-Age"),
        "one cookie, of the new session: {cookies:?}"
    );
    assert_ne!(client.token().key(), old.token().key());
    assert_eq!(old.name().await, None);
    assert!(stage.stored(&old).await.is_none());
    let keys = async |session: abide::Session| session.keys().await.map(axum::Json);
    assert_eq!(client.ask(keys).await.text().await, r#"["after"]"#);
    assert_eq!(client.name().await, None);
}

#[tokio::test]
async fn a_logout_after_a_write_in_one_request_leaves_nothing() {
    let stage = Stage::new().await;
    let leave = async |session: abide::Session| {
        session.insert("n", &2)?;
        session.log_out().await
    };
    let answer = stage.client().ask(leave).await;
    assert!(answer.set_cookies().is_empty(), "there was no session, and there is none: {answer:?}");
    assert_eq!(stage.store.all_calls(), 0);
    let mut client = stage.user("ada").await;
    let old = client.tab();
    client.ask(leave).await.is_ok();
    assert_eq!(client.cookie, None, "the cookie was removed");
    assert!(stage.stored(&old).await.is_none());
}

#[tokio::test]
async fn a_session_that_an_administrator_ended_while_a_request_ran_is_over() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let key = *client.token().key();
    let end = async || {
        let reason = EndReason::EndedByAdministrator;
        stage.store.end(&key, reason, &EndOptions::default()).await.map(drop).unwrap();
    };
    assert_eq!(write_after(&mut client, end).await, (StatusCode::OK, 0));
    assert_eq!(client.name().await, None);
}
