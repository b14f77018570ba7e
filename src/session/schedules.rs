//! Clones of one session in several tasks at once, under thousands of schedules: what was pending is settled by the
//! commit that took it, nothing is lost, nothing is committed twice, and nobody waits for ever.

use std::sync::Arc;
use std::task::Context;

use abide_core::{
    EndReason, LoadOptions, ManualClock, Record, SeededEntropy, SessionKey, Stamp, Timestamp, Token,
};
use abide_harness::explore;
use abide_memory::MemoryStore;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use shuttle::future::{JoinHandle, block_on, spawn};

use super::{Finish, Session};
use crate::config::Config;
use crate::cookie::{Candidates, CookieChange};
use crate::error::Error;
use crate::sessions::Sessions;

const START: Timestamp = Timestamp::from_millis(1_700_000_000_000);

struct Stage(Sessions);

impl Stage {
    async fn new() -> Self {
        let clock = Arc::new(ManualClock::at(START));
        let store = MemoryStore::builder().clock(clock.clone()).build();
        let builder = Config::new().insecure_http(true).builder().clock(clock).store(Arc::new(store));
        Self(builder.entropy(Arc::new(SeededEntropy::new(1))).open().await.unwrap())
    }

    /// A request without a cookie.
    fn visitor(&self) -> Session {
        self.0.detached()
    }

    /// A request with the cookie of a session that holds `n` = 0.
    async fn client(&self) -> Session {
        let session = self.visitor();
        session.insert("n", &0).unwrap();
        session.save().await.unwrap();
        self.request(&sent(session.take_cookie()).unwrap())
    }

    /// One more request with the same cookie.
    fn request(&self, token: &Token) -> Session {
        let mut headers = HeaderMap::new();
        let cookie = HeaderValue::try_from(format!("id={}", token.encode())).unwrap();
        headers.insert(header::COOKIE, cookie);
        Session::begin(&self.0.0, Candidates::of(&headers, &self.0.0.cookie, None))
    }

    async fn stored(&self, key: &SessionKey) -> Option<Arc<Record>> {
        let loaded = self.0.store().load(key, &LoadOptions::default()).await.unwrap();
        loaded.map(|loaded| loaded.record)
    }
}

/// The token that a response sets.
fn sent(cookie: CookieChange) -> Option<Token> {
    match cookie {
        CookieChange::Set { token, .. } => Some(token),
        _ => None,
    }
}

fn key(session: &Session) -> SessionKey {
    *session.state().live().unwrap().token.key()
}

fn stamp(record: &Record, value: &str) -> Option<Stamp> {
    Some(record.era()?.entry(value)?.stamp())
}

fn number(record: &Record, value: &str) -> Option<i64> {
    record.value(value).map(|bytes| serde_json::from_slice(bytes).unwrap())
}

/// Does something with a clone of the session, beside the others.
fn beside<T: Send + 'static, F>(session: &Session, act: impl FnOnce(Session) -> F) -> JoinHandle<T>
where
    F: Future<Output = T> + Send + 'static,
{
    spawn(act(session.clone()))
}

/// What the layer does once the handler answered.
async fn respond(session: &Session) -> (Result<(), Error>, CookieChange) {
    let result = match session.finish(StatusCode::OK) {
        Finish::Untouched => return (Ok(()), CookieChange::None),
        Finish::Done(result) => result,
        Finish::Waits(mut commit) => {
            std::future::poll_fn(|cx: &mut Context<'_>| session.poll_finish(&mut commit, cx)).await
        }
    };
    (result, session.take_cookie())
}

/// Nothing is left to commit, and what was committed is not committed again with what comes later.
async fn is_settled(stage: &Stage, session: &Session, values: &[&str]) {
    assert!(session.state().pending.is_empty(), "{:?}", session.state().pending);
    let key = key(session);
    let before = stage.stored(&key).await.unwrap();
    session.increment("later", 1).await.unwrap();
    let after = stage.stored(&key).await.unwrap();
    for value in values {
        assert_eq!(stamp(&before, value), stamp(&after, value), "{value} was committed once");
    }
}

#[test]
fn what_changes_while_a_commit_is_under_way_is_kept_for_the_next() {
    explore(|| {
        block_on(async {
            let stage = Stage::new().await;
            let session = stage.client().await;
            let saved = beside(&session, |s| async move {
                s.insert("a", &1).unwrap();
                s.save().await.unwrap();
            });
            let inserted = beside(&session, |s| async move {
                s.insert("a", &2).unwrap();
                s.insert("b", &1).unwrap();
            });
            let removed = beside(&session, |s| async move { s.remove("n") });
            for task in [saved, inserted, removed] {
                task.await.unwrap();
            }
            let read = session.get::<i64>("a").await.unwrap();
            session.save().await.unwrap();
            let stored = stage.stored(&key(&session)).await.unwrap();
            assert_eq!(number(&stored, "a"), read, "the last one");
            assert_eq!((number(&stored, "b"), number(&stored, "n")), (Some(1), None));
            is_settled(&stage, &session, &["a", "b", "n"]).await;
        });
    });
}

#[test]
fn updates_of_clones_and_of_other_requests_are_all_applied() {
    explore(|| {
        block_on(async {
            let stage = Stage::new().await;
            let session = stage.client().await;
            session.get::<i64>("n").await.unwrap();
            let other = stage.request(&session.state().live().unwrap().token);
            let tasks = [&session, &session, &other].map(|session| {
                beside(session, |s| async move {
                    s.insert("a", &1).unwrap();
                    s.increment("n", 1).await.unwrap();
                    s.increment("n", 10).await.unwrap();
                })
            });
            for task in tasks {
                task.await.unwrap();
            }
            let stored = stage.stored(&key(&session)).await.unwrap();
            assert_eq!((number(&stored, "n"), number(&stored, "a")), (Some(33), Some(1)));
            session.fresh().await.unwrap();
            is_settled(&stage, &session, &["n", "a"]).await;
        });
    });
}

#[test]
fn of_clones_that_write_first_one_makes_the_session() {
    explore(|| {
        block_on(async {
            let stage = Stage::new().await;
            let session = stage.visitor();
            let counted = [1, 10]
                .map(|by| beside(&session, move |s| async move { s.increment("n", by).await.unwrap() }));
            let saved = beside(&session, |s| async move {
                s.insert("a", &1).unwrap();
                s.save().await.unwrap();
            });
            for task in counted {
                task.await.unwrap();
            }
            saved.await.unwrap();
            let (result, cookie) = respond(&session).await;
            result.unwrap();
            let token = sent(cookie).unwrap();
            let stored = stage.stored(token.key()).await.unwrap();
            assert_eq!((number(&stored, "n"), number(&stored, "a")), (Some(11), Some(1)));
            let all = stage.0.store().end_all(EndReason::LoggedOut).await.unwrap();
            assert_eq!(all, 1, "one session, and no other");
        });
    });
}

#[test]
fn a_first_write_beside_the_response_gets_its_cookie_or_is_refused() {
    explore(|| {
        block_on(async {
            let stage = Stage::new().await;
            let session = stage.visitor();
            let write = beside(&session, async |clone| clone.increment("n", 1).await);
            let (answer, cookie) = respond(&session).await;
            answer.unwrap();
            let written = write.await.unwrap();
            assert_eq!(written.is_ok(), sent(cookie).is_some(), "{written:?}");
        });
    });
}

#[test]
fn a_login_or_a_renewal_beside_the_response_gets_its_cookie_or_is_refused() {
    explore(|| {
        block_on(async {
            let stage = Stage::new().await;
            let session = stage.client().await;
            let login = beside(&session, async |clone| clone.log_in("ada").await);
            let renewed = beside(&session, async |clone| clone.renew().await);
            let (answer, cookie) = respond(&session).await;
            answer.unwrap();
            let (login, renewed) = (login.await.unwrap(), renewed.await.unwrap());
            assert_eq!(login.is_ok() || renewed.is_ok(), sent(cookie).is_some(), "{login:?}, {renewed:?}");
            if let Some(token) = sent(cookie) {
                let reader = stage.request(&token);
                assert!(reader.handle().await.unwrap().is_some(), "the token is good");
                assert_eq!(reader.user().await.unwrap().is_some(), login.is_ok());
            }
        });
    });
}

#[test]
fn what_is_written_while_the_response_leaves_is_committed_or_refused() {
    explore(|| {
        block_on(async {
            let stage = Stage::new().await;
            let session = stage.client().await;
            session.insert("a", &1).unwrap();
            let late = beside(&session, |s| async move {
                s.insert("b", &1).unwrap();
                s.save().await.unwrap();
            });
            let counted = beside(&session, |s| async move { s.increment("n", 1).await.unwrap() });
            let (result, cookie) = respond(&session).await;
            result.unwrap();
            let stored = stage.stored(&key(&session)).await.unwrap();
            assert_eq!(number(&stored, "a"), Some(1), "before the response");
            assert_eq!(cookie, CookieChange::None);
            late.await.unwrap();
            counted.await.unwrap();
            let stored = stage.stored(&key(&session)).await.unwrap();
            assert_eq!((number(&stored, "b"), number(&stored, "n")), (Some(1), Some(1)));
            is_settled(&stage, &session, &["a", "b", "n"]).await;
        });
    });
}

#[test]
fn a_login_beside_other_writes_keeps_them_and_sends_a_token_that_is_good() {
    explore(|| {
        block_on(async {
            let stage = Stage::new().await;
            let session = stage.client().await;
            let login = beside(&session, |s| async move { s.log_in("ada").await.unwrap() });
            let renewed = beside(&session, |s| async move { s.renew().await.unwrap() });
            let saved = beside(&session, |s| async move {
                s.insert("a", &1).unwrap();
                s.increment("n", 1).await.unwrap();
            });
            for task in [login, renewed] {
                task.await.unwrap();
            }
            saved.await.unwrap();
            let (result, cookie) = respond(&session).await;
            result.unwrap();
            let token = sent(cookie).unwrap();
            let reader = stage.request(&token);
            assert_eq!(reader.user().await.unwrap().as_deref(), Some("ada"));
            assert_eq!(reader.get::<i64>("a").await.unwrap(), Some(1));
            assert_eq!(reader.get::<i64>("n").await.unwrap(), Some(1));
        });
    });
}

#[test]
fn a_logout_beside_other_work_is_final() {
    explore(|| {
        block_on(async {
            let stage = Stage::new().await;
            let session = stage.client().await;
            let old = session.0.candidates.tokens().next().unwrap();
            let read = beside(&session, |s| async move { _ = s.get::<i64>("n").await.unwrap() });
            let wrote = beside(&session, |s| async move { _ = s.increment("n", 1).await });
            let left = beside(&session, |s| async move { s.log_out().await.unwrap() });
            for task in [read, wrote, left] {
                task.await.unwrap();
            }
            assert!(stage.stored(old.key()).await.is_none(), "it is over");
            let held = session.state().live().map(|live| *live.token.key());
            assert_ne!(held, Some(*old.key()), "and nobody holds it");
            let (result, cookie) = respond(&session).await;
            result.unwrap();
            match cookie {
                CookieChange::Remove => assert_eq!(held, None),
                CookieChange::Set { token, .. } => assert!(stage.stored(token.key()).await.is_some()),
                CookieChange::None => panic!("the cookie of an ended session stays"),
            }
        });
    });
}
