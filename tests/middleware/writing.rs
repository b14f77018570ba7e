//! When the store is written, and what a 5xx keeps.

use abide::event::EventKind;
use abide::{Config, Error};
use abide_harness::Method;
use http::StatusCode;

use crate::stage::Stage;

#[tokio::test]
async fn nothing_is_loaded_until_the_handler_asks_and_then_once() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let calls = stage.store.all_calls();
    client.ask(async |_| ()).await.is_ok();
    assert_eq!(stage.store.all_calls(), calls);
    let read = async |session: abide::Session| {
        let clone = session.clone();
        let (n, user) = (session.get::<i64>("n").await?, clone.user().await?);
        assert!(session.contains("n").await? && session.keys().await? == ["n"]);
        Ok::<_, Error>(format!("{n:?} {user:?}"))
    };
    assert_eq!(client.ask(read).await.text().await, "Some(1) None");
    assert_eq!(stage.store.calls(Method::Load), 1);
}

#[tokio::test]
async fn several_changes_of_one_request_are_one_commit() {
    let stage = Stage::new().await;
    let mut client = stage.client();
    let change = async |session: abide::Session| {
        session.insert("a", &1)?;
        session.insert("b", &2)?;
        session.insert("a", &3)?;
        session.remove("c");
        session.insert("n", &4)
    };
    client.ask(change).await.is_ok();
    assert_eq!((stage.store.calls(Method::Create), stage.store.calls(Method::Commit)), (1, 0));
    client.ask(change).await.is_ok();
    assert_eq!((stage.store.calls(Method::Create), stage.store.calls(Method::Commit)), (1, 1));
    assert_eq!((client.get("a").await, client.get("b").await), (Some(3), Some(2)));
}

#[tokio::test]
async fn what_acts_takes_the_pending_changes_along_in_its_one_commit() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let act = async |session: abide::Session| {
        session.insert("a", &10)?;
        session.increment("a", 1).await?;
        session.insert("b", &20)?;
        session.log_in("ada").await
    };
    client.ask(act).await.is_ok();
    assert_eq!(stage.store.calls(Method::Commit), 2);
    assert_eq!((client.get("a").await, client.get("b").await), (Some(11), Some(20)));
}

#[tokio::test]
async fn saving_and_then_returning_writes_once() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let save = async |session: abide::Session| {
        session.insert("n", &2)?;
        session.save().await
    };
    client.ask(save).await.is_ok();
    assert_eq!(stage.store.calls(Method::Commit), 1);
    client.ask(async |session| session.save().await).await.is_ok();
    assert_eq!(stage.store.calls(Method::Commit), 1, "there was nothing to save");
}

#[tokio::test]
async fn a_store_that_must_be_waited_for_only_at_the_last_gets_the_commit_all_the_same() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    stage.store.set_near(true);
    client.ask(async |session| session.insert("n", &2)).await.is_ok();
    assert_eq!((stage.store.calls(Method::Load), stage.store.calls(Method::Commit)), (0, 0));
    let store = stage.store.clone();
    let far = async |session: abide::Session| {
        let n = session.get::<i64>("n").await?;
        store.set_near(false);
        session.insert("n", &(n.unwrap_or_default() + 1))
    };
    client.ask(far).await.is_ok();
    assert_eq!((stage.store.calls(Method::Load), stage.store.calls(Method::Commit)), (0, 1));
    assert_eq!(client.get("n").await, Some(3));
}

#[tokio::test]
async fn a_last_commit_that_must_be_waited_for_is_superseded_by_a_login_and_passes_another_write() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let mut other = client.tab();
    for (login, status) in [(false, StatusCode::OK), (true, StatusCode::CONFLICT)] {
        stage.store.set_near(true);
        client.ask(async |session| session.insert("n", &2)).await.is_ok();
        let store = stage.store.clone();
        let beside = async |session: abide::Session| {
            session.get::<i64>("n").await?;
            session.insert("m", &1)?;
            other.ask(async |session| session.increment("n", 1).await.map(drop)).await.is_ok();
            if login {
                other.log_in("ada").await.is_ok();
            }
            store.set_near(false);
            session.insert("n", &100)
        };
        assert_eq!(client.ask(beside).await.status, status);
        assert_eq!(
            (other.get("n").await, other.get("m").await),
            (Some(if login { 3 } else { 100 }), Some(1))
        );
    }
}

#[tokio::test]
async fn a_clone_that_outlives_the_response_goes_on_with_what_was_written() {
    let stage = Stage::with(Config::new().max_session_bytes(2_000)).await;
    let mut client = stage.visitor().await;
    stage.store.set_near(true);
    client.ask(async |session| session.insert("n", &2)).await.is_ok();
    let (send, kept) = tokio::sync::oneshot::channel();
    let keep = async |session: abide::Session| {
        let n = session.increment("n", 1).await?;
        session.insert("large", &"x".repeat(5_000))?;
        send.send(session.clone()).unwrap();
        Ok::<_, Error>(n.to_string())
    };
    assert_eq!(client.ask(keep).await.status, StatusCode::INTERNAL_SERVER_ERROR, "too large");
    assert_eq!(kept.await.unwrap().get::<i64>("n").await.unwrap(), Some(3));
}

#[tokio::test]
async fn what_a_request_loaded_is_not_loaded_again_for_its_commit() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    for n in 1..4 {
        client.ask(async |session| session.insert("n", &n)).await.is_ok();
        assert_eq!((stage.store.calls(Method::Load), stage.store.calls(Method::Commit)), (n, n));
    }
}

#[tokio::test]
async fn a_commit_that_another_request_came_before_goes_on_from_what_is_stored_then() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    stage.store.set_near(true);
    client.ask(async |session| session.insert("n", &5)).await.is_ok();
    let mut other = client.tab();
    let beside = async |session: abide::Session| {
        session.get::<i64>("n").await?;
        session.insert("m", &1)?;
        other.ask(async |session| session.increment("n", 1).await.map(drop)).await.is_ok();
        session.insert("n", &100)
    };
    client.ask(beside).await.is_ok();
    assert_eq!((client.get("n").await, client.get("m").await), (Some(100), Some(1)));
}

#[tokio::test]
async fn a_last_commit_that_is_refused_is_answered_and_told_of() {
    let stage = Stage::with(Config::new().max_session_bytes(2_000)).await;
    let mut client = stage.visitor().await;
    stage.store.set_near(true);
    client.ask(async |session| session.insert("n", &2)).await.is_ok();
    stage.events.clear();
    let answer = client.ask(async |session| session.insert("large", &"x".repeat(5_000))).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(stage.events.take(), [EventKind::CommitFailed(abide::core::ErrorKind::TooLarge)]);
    assert_eq!(client.get("n").await, Some(2));
}

#[tokio::test]
async fn removing_what_is_not_there_writes_nothing_sends_no_cookie_and_is_no_event() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    stage.events.clear();
    for client in [&mut client, &mut stage.client()] {
        let answer = client.ask(async |session| session.remove("absent")).await;
        assert!(answer.set_cookies().is_empty(), "{answer:?}");
        let answer = client
            .ask(async |session| {
                session.get::<i64>("n").await?;
                session.remove("absent");
                Ok::<_, Error>(())
            })
            .await;
        answer.is_ok();
    }
    stage.client().ask(async |session| session.clear()).await.is_ok();
    assert_eq!((stage.store.calls(Method::Create), stage.store.calls(Method::Commit)), (1, 0));
    assert_eq!(stage.events.take(), []);
}

#[tokio::test]
async fn removing_and_clearing_what_is_there_is_kept() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    client.insert("a", 1).await.is_ok();
    client.insert("b", 2).await.is_ok();
    client.ask(async |session| session.remove("a")).await.is_ok();
    assert_eq!((client.get("a").await, client.get("b").await), (None, Some(2)));
    client.ask(async |session| session.clear()).await.is_ok();
    assert_eq!((client.get("b").await, client.name().await.as_deref()), (None, Some("ada")));
}

#[tokio::test]
async fn a_handlers_5xx_keeps_what_it_wrote() {
    let stage = Stage::new().await;
    let mut client = stage.client();
    let answer = client
        .ask(async |session| {
            session.insert("failed_logins", &1).unwrap();
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(client.get("failed_logins").await, Some(1));
}

#[tokio::test]
async fn a_handlers_5xx_drops_what_it_wrote_where_that_is_configured() {
    let stage = Stage::with(Config::new().keep_on_server_error(false)).await;
    let mut client = stage.visitor().await;
    stage.events.clear();
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::BAD_GATEWAY] {
        let answer = client
            .ask(async |session| {
                session.insert("n", &2).unwrap();
                status
            })
            .await;
        assert_eq!(answer.status, status);
    }
    assert_eq!((client.get("n").await, stage.store.calls(Method::Commit)), (Some(1), 0));
    assert_eq!(stage.events.take(), []);
    let answer = client
        .ask(async |session| {
            session.insert("n", &3).unwrap();
            StatusCode::NOT_FOUND
        })
        .await;
    assert_eq!(answer.status, StatusCode::NOT_FOUND);
    assert_eq!(client.get("n").await, Some(3), "a 4xx is no server error");
}

#[tokio::test]
async fn what_was_saved_before_a_5xx_stays_saved() {
    let stage = Stage::with(Config::new().keep_on_server_error(false)).await;
    let mut client = stage.visitor().await;
    client
        .ask(async |session| {
            session.increment("n", 1).await.unwrap();
            session.insert("n", &100).unwrap();
            StatusCode::INTERNAL_SERVER_ERROR
        })
        .await;
    assert_eq!(client.get("n").await, Some(2));
}

#[tokio::test]
async fn a_new_token_before_a_5xx_reaches_the_client_and_opens_the_session() {
    for keep in [true, false] {
        let stage = Stage::with(Config::new().keep_on_server_error(keep)).await;
        let mut client = stage.visitor().await;
        for name in ["ada", "eve"] {
            let answer = client
                .ask(async |session| {
                    session.log_in(name).await.unwrap();
                    session.renew().await.unwrap();
                    StatusCode::BAD_GATEWAY
                })
                .await;
            assert_eq!((answer.status, answer.set_cookies().len()), (StatusCode::BAD_GATEWAY, 1));
            assert_eq!((client.name().await.as_deref(), client.get("n").await), (Some(name), Some(1)));
        }
    }
}
