//! What is checked and what is done come in one step, and no lock outlives whoever took it.

use std::pin::pin;
use std::time::Duration;

use abide::{Config, Error, Session};
use http::StatusCode;
use tokio::task::JoinSet;

use crate::stage::{Client, Stage, poll_once};

/// Redeems a voucher, where that was not done yet.
async fn redeem(session: Session) -> Result<StatusCode, Error> {
    let mut mine = false;
    let check_and_act = |redeemed: Option<bool>| {
        mine = !redeemed.unwrap_or_default();
        true
    };
    session.update("redeemed", check_and_act).await?;
    Ok(if mine { StatusCode::OK } else { StatusCode::GONE })
}

// Row 24.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_requests_at_once_one_redeems_the_voucher() {
    let stage = Stage::new().await;
    let other = stage.another_server(Config::new()).await;
    let client = stage.visitor().await;
    let mut tabs = JoinSet::new();
    for n in 0..32 {
        let mut tab = if n % 2 == 0 { client.tab() } else { client.at(&other) };
        tabs.spawn(async move { tab.ask(redeem).await.status });
    }
    let answers = tabs.join_all().await;
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::OK).count(), 1, "{answers:?}");
    assert_eq!(answers.iter().filter(|status| **status == StatusCode::GONE).count(), 31, "{answers:?}");
}

// Row 24.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_logins_at_once_one_gets_the_session_and_no_other_ever_opens_it() {
    let stage = Stage::new().await;
    let client = stage.visitor().await;
    let mut tabs = JoinSet::new();
    for n in 0..16 {
        let mut tab = client.tab();
        tabs.spawn(async move { (tab.log_in(&format!("user{n}")).await.status, tab) });
    }
    let mut opened = 0;
    for (status, mut tab) in tabs.join_all().await {
        assert_eq!(tab.name().await.is_some(), status == StatusCode::OK, "refused, or in");
        // One that came after the first login found its token dead, and began a session of its own.
        opened += usize::from(status == StatusCode::OK && tab.token().key() == client.token().key());
    }
    assert_eq!(opened, 1);
}

/// Begins what waits for the store, and drops it there.
async fn drop_while_it_waits(operation: impl Future) {
    assert!(poll_once(pin!(operation)).await.is_none(), "the commit is held");
}

// Row 24.
#[tokio::test(start_paused = true)]
async fn an_operation_that_is_dropped_while_it_waits_locks_nobody_out() {
    let stage = Stage::new().await;
    let mut client = stage.visitor().await;
    let gate = stage.store.shut();
    let go_on = async |client: &mut Client| {
        let ask = client.ask(async |session| {
            drop_while_it_waits(session.increment("n", 1)).await;
            drop_while_it_waits(session.renew()).await;
            gate.add_permits(100);
            session.get::<i64>("n").await.map(drop)
        });
        tokio::time::timeout(Duration::from_secs(60), ask).await.expect("no lock is left")
    };
    go_on(&mut client).await.is_ok();
}
