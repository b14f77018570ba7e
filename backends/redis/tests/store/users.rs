//! What a user's list is worth where things go wrong between its steps.

use abide_core::{EndUserOptions, Page, SessionStore as _};
use abide_harness::Redis;

use crate::stage::Client;

async fn list(server: &Redis) -> String {
    server.cli(&["KEYS", "abide:u:*"]).await
}

#[tokio::test]
async fn a_list_that_was_lost_is_there_again_after_a_slide() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let live = client.log_in("ada").await;
    assert_eq!(server.cli(&["DEL", &list(&server).await]).await, "1");
    assert_eq!(client.store.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 0);
    let mut slide = client.changes(&live.record);
    slide.seen_at(client.now() + std::time::Duration::from_secs(1));
    client.commit(&live, &slide).await.unwrap();
    assert_eq!(client.store.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 1);
    assert_eq!(client.store.end_user("ada", &EndUserOptions::default()).await.unwrap(), 1);
}

#[tokio::test]
async fn an_entry_whose_session_is_not_there_yet_stays() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let live = client.log_in("ada").await;
    let key = server.cli(&["KEYS", "abide:s:*"]).await;
    assert_eq!(server.cli(&["RENAME", &key, "kept"]).await, "OK");
    // Whoever reads the list meanwhile finds nobody, and drops nobody from it.
    assert_eq!(client.store.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 0);
    assert_eq!(server.cli(&["RENAME", "kept", &key]).await, "OK");
    let page = client.store.of_user("ada", &Page::default()).await.unwrap();
    assert_eq!(page.sessions[0].key, *live.key());
}

#[tokio::test]
async fn the_list_forgets_those_who_left_and_does_not_grow_with_logins() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let mut live = client.log_in("ada").await;
    for _ in 0..10 {
        live.loaded = client.commit(&live, &client.login(&live.record, "ada")).await.unwrap();
        live.record = live.loaded.record.clone();
        let gone = client.log_in("ada").await;
        client.end(&gone).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    assert_eq!(server.cli(&["ZCARD", &list(&server).await]).await, "1");
    client.end(&live).await.unwrap();
    assert_eq!(list(&server).await, "", "a list without entries is gone");
}
