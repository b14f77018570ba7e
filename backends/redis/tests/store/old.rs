//! What a process remembers of a session may be old: nothing is decided by it.

use abide_core::{CreateOptions, ErrorKind, Record, SessionStore as _};
use abide_harness::Redis;

use crate::stage::Client;

#[tokio::test]
async fn a_condition_that_holds_in_a_newer_record_is_not_refused_by_the_older_one_at_hand() {
    let server = Redis::single().await;
    let (one, two) = (Client::on(&server).await, Client::on(&server).await);
    let live = one.visit().await;
    let newer = two.set(&live, "a", b"1").await.unwrap();
    let seen = newer.record.era().unwrap().entry("a").unwrap().stamp();
    let mut update = one.changes(&newer.record);
    update.update("a", Some(seen), Some(b"2".as_slice().into()));
    let answer = one.commit(&live, &update).await.unwrap();
    assert_eq!(answer.record.value("a"), Some(&b"2"[..]));
}

#[tokio::test]
async fn what_was_done_before_is_answered_with_what_is_stored_now() {
    let server = Redis::single().await;
    let (one, two) = (Client::on(&server).await, Client::on(&server).await);
    let live = one.visit().await;
    let set = one.setting(&live.record, "a", b"1");
    one.commit(&live, &set).await.unwrap();
    let newer = two.set(&live, "b", b"2").await.unwrap();
    assert_eq!(one.commit(&live, &set).await.unwrap().record, newer.record);
    two.end(&live).await.unwrap();
    assert_eq!(one.commit(&live, &set).await.unwrap_err().kind(), ErrorKind::Ended);
}

#[tokio::test]
async fn a_login_begun_in_a_newer_era_is_not_refused_by_the_older_one_at_hand() {
    let server = Redis::single().await;
    let (one, two) = (Client::on(&server).await, Client::on(&server).await);
    let live = one.visit().await;
    let newer = two.commit(&live, &two.login(&live.record, "ada")).await.unwrap();
    let answer = one.commit(&live, &one.login(&newer.record, "bob")).await.unwrap();
    assert_eq!(answer.record.era().unwrap().user().map(|user| &**user), Some("bob"));
    let late = two.commit(&live, &two.setting(&live.record, "a", b"1")).await;
    assert_eq!(late.unwrap_err().kind(), ErrorKind::Superseded);
}

#[tokio::test]
async fn a_creation_that_comes_late_at_a_process_that_knows_of_no_end_is_refused() {
    let server = Redis::single().await;
    let (one, two) = (Client::on(&server).await, Client::on(&server).await);
    let live = one.log_in("ada").await;
    two.end(&live).await.unwrap();
    let again = one.store.create(live.key(), Record::clone(&live.record), &CreateOptions::default()).await;
    assert_eq!(again.unwrap_err().kind(), ErrorKind::Ended);
    assert!(!one.is_live(&live).await && !two.is_live(&live).await);
}
