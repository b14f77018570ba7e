//! Periodic renewal: a new token once it is due, and nobody is logged out by it.

use abide::Config;
use abide::event::EventKind;
use abide_harness::Method;

use crate::stage::{Client, MINUTE, SECOND, Stage};

const EVERY: std::time::Duration = MINUTE;
const GRACE: std::time::Duration = SECOND.saturating_mul(30);

async fn stage() -> Stage {
    Stage::with(Config::new().renew_every(EVERY).renew_grace(GRACE)).await
}

/// Ada with a token that is due, and a tab that keeps it.
async fn due(stage: &Stage) -> (Client, Client) {
    let client = stage.user("ada").await;
    stage.clock.advance(EVERY);
    stage.events.clear();
    (client.tab(), client)
}

async fn is_ada(client: &mut Client) -> bool {
    client.name().await.as_deref() == Some("ada")
}

#[tokio::test]
async fn a_request_gets_a_new_token_once_it_is_due_and_not_before() {
    let stage = stage().await;
    let mut client = stage.user("ada").await;
    let first = client.token();
    stage.clock.advance(EVERY - SECOND);
    assert!(is_ada(&mut client).await && client.token() == first);
    stage.clock.advance(SECOND);
    assert!(is_ada(&mut client).await);
    let second = client.token();
    assert!(second != first && second.key() == first.key(), "a new secret for the same session");
    assert!(is_ada(&mut client).await && client.token() == second);
}

#[tokio::test]
async fn an_untouched_request_renews_nothing() {
    let stage = stage().await;
    let (_, mut client) = due(&stage).await;
    let calls = stage.store.all_calls();
    assert!(client.ask(async |_| ()).await.set_cookies().is_empty());
    assert_eq!(stage.store.all_calls(), calls);
}

#[tokio::test]
async fn without_the_setting_no_token_is_renewed() {
    let stage = Stage::new().await;
    let mut client = stage.user("ada").await;
    let first = client.token();
    for _ in 0..40 {
        stage.clock.advance(20 * MINUTE);
        assert!(is_ada(&mut client).await && client.token() == first);
    }
}

#[tokio::test]
async fn of_two_requests_that_are_due_at_once_one_mints_and_the_other_sends_nothing() {
    let stage = stage().await;
    let (mut one, mut two) = due(&stage).await;
    // The second begins and ends while the first runs: both have seen that it is due.
    let answer = one.ask(async |session| {
        session.user().await?;
        assert_eq!(two.ask(async |session| session.user().await.map(drop)).await.set_cookies().len(), 1);
        Ok::<_, abide::Error>(())
    });
    let answer = answer.await;
    answer.is_ok();
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    assert_eq!(stage.events.take(), [EventKind::Renewed]);
    assert!(is_ada(&mut one).await && is_ada(&mut two).await);
}

#[tokio::test]
async fn the_old_token_is_good_until_the_new_one_was_presented_and_its_grace_is_over() {
    let stage = stage().await;
    let (mut old, mut new) = due(&stage).await;
    assert!(is_ada(&mut new).await);
    stage.clock.advance(EVERY - SECOND);
    assert!(is_ada(&mut old.tab()).await, "nobody presented the new one yet");
    assert!(is_ada(&mut new.tab()).await, "now somebody did");
    stage.clock.advance(GRACE - SECOND);
    assert!(is_ada(&mut old.tab()).await, "within the grace");
    stage.clock.advance(SECOND);
    stage.events.clear();
    assert!(!is_ada(&mut old).await);
    assert_eq!(stage.events.take(), [EventKind::StaleToken]);
    assert!(is_ada(&mut new).await);
}

#[tokio::test]
async fn a_request_within_the_grace_writes_and_gets_no_token() {
    let stage = stage().await;
    let (mut old, mut new) = due(&stage).await;
    assert!(is_ada(&mut new).await && is_ada(&mut new).await);
    let answer = old.insert("n", 7).await;
    answer.is_ok();
    assert!(answer.set_cookies().is_empty(), "{answer:?}");
    assert_eq!(new.get("n").await, Some(7));
}

#[tokio::test]
async fn a_stale_token_writes_nothing_and_ends_nothing() {
    let stage = stage().await;
    let (mut old, mut new) = due(&stage).await;
    assert!(is_ada(&mut new).await && is_ada(&mut new).await);
    stage.clock.advance(GRACE);
    let mut thief = old.tab();
    thief.insert("n", 7).await.is_ok();
    assert_ne!(thief.token().key(), new.token().key(), "a session of its own");
    old.log_out().await.is_ok();
    assert!(is_ada(&mut new).await);
    assert_eq!(new.get("n").await, None);
}

#[tokio::test]
async fn responses_that_get_lost_log_nobody_out_however_many_they_are() {
    let stage = stage().await;
    let (_, mut client) = due(&stage).await;
    for _ in 0..10 {
        assert!(is_ada(&mut client.tab()).await, "the response is lost: the tab's new cookie is never sent");
        stage.clock.advance(EVERY);
    }
    assert!(is_ada(&mut client).await);
    assert!(is_ada(&mut client).await, "also with what it got at last");
}

#[tokio::test]
async fn a_renewal_that_fails_is_no_error_and_is_made_up_for() {
    let stage = stage().await;
    let (_, mut client) = due(&stage).await;
    let first = client.token();
    stage.store.lose_next(Method::Commit, abide::core::ErrorKind::Unavailable);
    assert!(is_ada(&mut client).await && client.token() == first);
    assert!(is_ada(&mut client).await && client.token() != first);
}

#[tokio::test]
async fn a_renewal_by_hand_kills_every_older_token_at_once() {
    let stage = stage().await;
    let (mut first, mut client) = due(&stage).await;
    assert!(is_ada(&mut client).await);
    let mut second = client.tab();
    client.insert("n", 7).await.is_ok();
    client.ask(async |session| session.renew().await).await.is_ok();
    assert!(!is_ada(&mut first).await && !is_ada(&mut second).await);
    assert!(is_ada(&mut client).await);
    assert_eq!(client.get("n").await, Some(7));
}

#[tokio::test]
async fn a_write_and_a_renewal_at_once_are_both_kept() {
    let stage = stage().await;
    let (mut one, mut two) = due(&stage).await;
    let answer = one.ask(async |session| {
        session.user().await?;
        two.insert("b", 2).await.is_ok();
        session.insert("a", &1)
    });
    answer.await.is_ok();
    assert_eq!((two.get("a").await, two.get("b").await), (Some(1), Some(2)));
}

#[tokio::test]
async fn the_renewals_of_a_day_of_use_leave_the_session_alone() {
    let stage = stage().await;
    let mut client = stage.user("ada").await;
    let key = *client.token().key();
    for _ in 0..70 {
        stage.clock.advance(20 * MINUTE);
        let before = client.token();
        assert!(is_ada(&mut client).await && client.token() != before);
        assert!(is_ada(&mut client).await);
    }
    assert_eq!(*client.token().key(), key);
}
