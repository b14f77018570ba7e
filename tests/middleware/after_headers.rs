//! A session in a streamed body: what still works once the headers are gone.

use abide::event::EventKind;
use abide::{Error, ErrorKind, Keep, Session};
use abide_harness::Method;

use crate::stage::{Client, HOUR, Stage};

/// The session of a request whose response is on its way, as a streamed body holds it.
async fn held(client: &mut Client, handler: impl AsyncFnOnce(&Session)) -> Session {
    let mut held = None;
    let answer = client.ask(async |session| {
        handler(&session).await;
        held = Some(session);
    });
    answer.await.is_ok();
    held.unwrap()
}

fn untouched() -> impl AsyncFnOnce(&Session) {
    async |_: &Session| {}
}

fn read() -> impl AsyncFnOnce(&Session) {
    async |session: &Session| {
        session.get::<i64>("n").await.unwrap();
    }
}

#[track_caller]
fn is_too_late<T: std::fmt::Debug>(result: Result<T, Error>) {
    assert_eq!(result.unwrap_err().kind(), ErrorKind::TooLate);
}

#[tokio::test]
async fn a_new_token_is_refused() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    for session in [held(&mut client, untouched()).await, held(&mut client, read()).await] {
        is_too_late(session.renew().await);
        is_too_late(session.log_in("bob").await);
        is_too_late(session.log_out_user(Keep::All).await);
        assert_eq!(session.user().await.unwrap().as_deref(), Some("ada"));
    }
    assert_eq!(client.name().await.as_deref(), Some("ada"), "the client's token is good as before");
}

#[tokio::test]
async fn a_response_waits_for_the_token_of_a_clone_that_is_signing_in() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let gate = stage.store.shut();
    let store = stage.store.clone();
    let login = async |session: Session| {
        session.get::<i64>("n").await?;
        tokio::spawn(async move { session.log_in("ada").await });
        while store.calls(Method::Commit) == 0 {
            tokio::task::yield_now().await;
        }
        Ok::<_, abide::Error>(())
    };
    let (answer, ()) = tokio::join!(client.ask(login), async {
        while stage.store.calls(Method::Commit) == 0 {
            tokio::task::yield_now().await;
        }
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(1);
    });
    answer.is_ok();
    assert_eq!(answer.set_cookies().len(), 1);
    assert_eq!(client.name().await.as_deref(), Some("ada"));
}

#[tokio::test]
async fn the_first_write_of_an_empty_session_is_refused() {
    let stage = Stage::new().await;
    let mut client = stage.client();
    for session in [held(&mut client, untouched()).await, held(&mut client, read()).await] {
        is_too_late(session.increment("n", 1).await);
        is_too_late(session.log_in("ada").await);
        is_too_late(session.csrf_token().await);
        if session.insert("n", &1).is_ok() {
            is_too_late(session.save().await);
        }
    }
    assert_eq!(stage.store.calls(Method::Create), 0);
}

#[tokio::test]
async fn the_first_write_of_a_session_known_to_be_empty_is_refused_at_once() {
    let stage = Stage::new().await;
    let session = held(&mut stage.client(), read()).await;
    is_too_late(session.insert("n", &1));
}

#[tokio::test]
async fn a_later_write_of_a_live_session_is_kept_when_it_is_saved() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    for (n, session) in
        [held(&mut client, untouched()).await, held(&mut client, read()).await].iter().enumerate()
    {
        session.insert("late", &n).unwrap();
        session.save().await.unwrap();
        session.increment("n", 1).await.unwrap();
        assert_eq!(client.get("late").await, Some(n as i64));
    }
    assert_eq!(client.get("n").await, Some(3));
}

#[tokio::test]
async fn changes_that_nobody_saves_are_an_event() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    for session in [held(&mut client, untouched()).await, held(&mut client, read()).await] {
        stage.events.clear();
        session.insert("n", &2).unwrap();
        drop(session);
        assert_eq!(stage.events.take(), [EventKind::ChangesDropped]);
    }
    assert_eq!(client.get("n").await, Some(1));
}

#[tokio::test]
async fn changes_that_were_saved_are_no_event() {
    let stage = Stage::new().await;
    let session = held(&mut stage.visitor().await, untouched()).await;
    stage.events.clear();
    session.insert("n", &2).unwrap();
    session.save().await.unwrap();
    drop(session);
    assert_eq!(stage.events.take(), []);
}

#[tokio::test]
async fn a_logout_still_ends_the_session() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let session = held(&mut client, untouched()).await;
    session.log_out().await.unwrap();
    assert!(stage.stored(&client).await.is_none(), "the cookie stays with the client, and opens nothing");
    assert_eq!(client.name().await, None);
}

#[tokio::test]
async fn a_periodic_renewal_waits_for_the_next_request() {
    let stage = Stage::with(abide::Config::new().renew_every(HOUR / 4)).await;
    let mut client = stage.user("ada").await;
    let session = held(&mut client, read()).await;
    stage.clock.advance(HOUR / 4);
    session.insert("n", &1).unwrap();
    session.save().await.unwrap();
    let old = client.cookie.clone();
    assert_eq!(client.get("n").await, Some(1));
    assert_ne!(client.cookie, old, "this request renews");
    assert_eq!(client.name().await.as_deref(), Some("ada"));
}
