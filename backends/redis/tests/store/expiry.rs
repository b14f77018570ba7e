//! Every key that is written has an expiry.

use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    CommitOptions, CreateOptions, EndReason, EndUserOptions, NewRecord, Record, SessionStore as _, Stamps,
    SystemClock, Token,
};
use abide_harness::Redis;

use crate::stage::{Client, IDLE, builder, lives, until};

/// What the contract asks for beyond a deadline: an end is remembered for ten minutes, and so is a creation.
const REMEMBERED: Duration = Duration::from_secs(600);
const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn every_key_has_an_expiry_a_minute_past_its_deadline_and_no_longer() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    client.visit().await;
    let live = client.log_in("ada").await;
    client.set(&live, "a", b"1").await.unwrap();
    client.commit(&live, &client.login(&live.record, "bob")).await.unwrap();
    let ended = client.log_in("ada").await;
    client.end(&ended).await.unwrap();
    client.end(&live).await.unwrap();
    client.store.end_user("eve", &EndUserOptions::default()).await.unwrap();
    client.log_in("eve").await;
    client.store.end_all(EndReason::EndedByAdministrator).await.unwrap();
    client.log_in("eve").await;
    let brief = client.create(|new| new.idle_timeout(Duration::from_secs(1))).await.unwrap();
    let lives = lives(&server).await;
    // Sessions: the visit, the one that was two users', the one that was ended, two of eve and a brief one. One list: eve's.
    assert_eq!(lives.len(), 6 + 1, "{lives:?}");
    let longest = i64::try_from((IDLE.max(REMEMBERED) + MINUTE).as_millis()).unwrap();
    // A list hears of each tenth of the idle timeout that a deadline moves by, ahead of it.
    let ahead = i64::try_from((IDLE / 10).as_millis()).unwrap();
    for (key, life) in &lives {
        let longest = if key.starts_with("abide:u:") { longest + ahead } else { longest };
        assert!((1..=longest).contains(life), "{key} lives {life} ms of {longest}");
    }
    // Its creation may be sent twice and arrive late.
    let shortest = lives.iter().map(|(_, life)| *life).min().unwrap();
    assert!(shortest > 599_000, "a session of {brief:?} is forgotten after {shortest} ms");
}

#[tokio::test]
async fn after_the_last_deadline_the_server_is_empty() {
    let server = Redis::single().await;
    let linger = Duration::from_millis(100);
    let client = Client::open(builder(&server.url()).linger(linger), Arc::new(SystemClock)).await;
    // A creation is remembered for ten minutes; this one was ten minutes ago.
    let created = Stamps::new(1).next(client.now().before(REMEMBERED));
    let (token, life) = (Token::from_bytes([7; 32]), Duration::from_millis(800));
    let new = NewRecord::new(created, [9; 16], token.verifier(), client.now()).idle_timeout(life);
    let record = Record::create(new.user("ada", client.now()));
    let created = client.store.create(token.key(), record, &CreateOptions::default()).await.unwrap();
    // A slide moves the deadline of the session and of its entry in the list.
    let mut slide = client.changes(&created.record);
    slide.seen_at(client.now() + Duration::from_millis(200));
    let slid = client.store.commit(token.key(), created.version, &slide, &CommitOptions::default()).await;
    let deadline = slid.unwrap().record.era().unwrap().deadline();
    assert_eq!(lives(&server).await.len(), 2, "a session and a list");
    until(async || lives(&server).await.is_empty()).await;
    assert!(client.now() >= deadline, "it went before its deadline");
}
