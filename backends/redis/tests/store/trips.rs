//! How many trips an operation takes, by the server's own count of what it read from its connections.

use abide_core::{EndUserOptions, SessionStore as _};
use abide_harness::Redis;

use crate::stage::{Client, IDLE};

#[tokio::test]
async fn the_measure_counts_nothing_where_nothing_is_done() {
    let server = Redis::single().await;
    let _client = Client::on(&server).await;
    assert_eq!(server.trips(async || {}).await, 0);
}

#[tokio::test]
async fn a_read_is_one_trip_a_read_and_a_write_are_two_and_a_logout_is_two_with_its_read() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    // The server knows the scripts from here on.
    let first = client.log_in("ada").await;
    client.set(&first, "a", b"1").await.unwrap();
    client.end(&first).await.unwrap();
    let live = client.log_in("ada").await;
    let read = server.trips(async || assert!(client.is_live(&live).await)).await;
    assert_eq!(read, 1, "a read");
    let read_and_write = async || {
        client.load(&live).await.unwrap();
        client.set(&live, "a", b"1").await.unwrap();
    };
    assert_eq!(server.trips(read_and_write).await, 2, "a read and a write");
    let slide = async || {
        let held = client.load(&live).await.unwrap().unwrap();
        let mut changes = client.changes(&held.record);
        changes.set("a", b"2".as_slice());
        // Further each time, so that the list of the user moves as well.
        changes.seen_at(held.record.era().unwrap().last_seen() + IDLE / 10);
        client.commit(&live, &changes).await.unwrap();
    };
    assert_eq!(server.trips(slide).await, 2, "a read and a write with a slide");
    let sessions: Vec<_> = {
        let mut sessions = Vec::new();
        for _ in 0..10 {
            sessions.push(client.log_in("ada").await);
        }
        sessions
    };
    let next = std::sync::atomic::AtomicUsize::new(0);
    let logout = async || {
        let live = &sessions[next.fetch_add(1, std::sync::atomic::Ordering::Relaxed)];
        client.load(live).await.unwrap();
        client.end(live).await.unwrap();
    };
    assert_eq!(server.trips(logout).await, 2, "a logout with its read");
}

#[tokio::test]
async fn of_the_slides_of_a_user_few_come_to_the_list() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let live = client.log_in("ada").await;
    client.set(&live, "a", b"1").await.unwrap();
    let seen = live.record.era().unwrap().last_seen();
    let before = server.calls().await;
    for second in 1..=20 {
        let mut slide = client.changes(&live.record);
        slide.seen_at(seen + std::time::Duration::from_secs(second));
        client.commit(&live, &slide).await.unwrap();
    }
    let ran = server.calls().await - &before;
    assert_eq!(ran.of_command("set"), 20, "{ran:?}");
    // A tenth of half an hour is passed once at the most.
    assert!(ran.of_command("zadd") <= 1, "{ran:?}");
}

#[tokio::test]
async fn a_visit_is_created_in_one_trip_and_a_login_takes_three_more() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let first = client.log_in("ada").await;
    client.commit(&first, &client.login(&first.record, "bob")).await.unwrap();
    assert_eq!(server.trips(async || drop(client.visit().await)).await, 1, "a creation");
    let login = async || {
        let live = client.visit().await;
        client.commit(&live, &client.login(&live.record, "ada")).await.unwrap();
    };
    assert_eq!(server.trips(login).await, 1 + 3, "a creation and a login");
}

#[tokio::test]
async fn the_core_paths_use_get_set_pexpire_del_and_scripts_of_them_alone() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let before = server.calls().await;
    let live = client.visit().await;
    client.load(&live).await.unwrap();
    client.set(&live, "a", b"1").await.unwrap();
    client.end(&live).await.unwrap();
    let ran = server.calls().await - &before;
    let known = ["get", "set", "pexpire", "del", "eval", "evalsha"];
    // What the link asks about the server, and this test about its counts.
    let aside = ["ping", "role", "info", "client|setinfo", "hello"];
    for (command, _) in ran.iter() {
        assert!(known.contains(&command) || aside.contains(&command), "{command}: {ran:?}");
    }
    // One more: what a user's list takes.
    let live = client.log_in("ada").await;
    client.end(&live).await.unwrap();
    client.store.end_user("ada", &EndUserOptions::default()).await.unwrap();
    let ran = server.calls().await - &before;
    let lists = ["zadd", "zrem", "zrange", "zscore", "zremrangebyscore", "pttl"];
    for (command, _) in ran.iter() {
        let fine = known.contains(&command) || aside.contains(&command) || lists.contains(&command);
        assert!(fine, "{command}: {ran:?}");
    }
}
