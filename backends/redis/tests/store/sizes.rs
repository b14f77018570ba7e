//! The stated limit, and what is stored that no store wrote.

use std::sync::Arc;

use abide_core::{ErrorKind, SystemClock};
use abide_harness::Redis;

use crate::stage::{Client, builder};

#[tokio::test]
async fn a_session_above_the_stated_limit_is_refused_and_stays_as_it_was() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let mebibyte = vec![7; 1 << 20];
    let refused = client.create(|new| new.value("a", mebibyte.as_slice())).await;
    assert_eq!(refused.err().map(|error| error.kind()), Some(ErrorKind::TooLarge));
    let live = client.visit().await;
    let refused = client.set(&live, "a", &mebibyte).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::TooLarge);
    assert!(refused.to_string().contains("at most 1048576 are stored in redis"), "{refused}");
    assert_eq!(client.load(&live).await.unwrap().unwrap().record, live.record);
    client.set(&live, "a", &mebibyte[..1_000_000]).await.unwrap();
}

#[tokio::test]
async fn what_no_store_wrote_is_corrupt_and_can_be_ended() {
    let server = Redis::single().await;
    let client = Client::open(builder(&server.url()).recent_bytes(0), Arc::new(SystemClock)).await;
    for damage in [&["SET", "KEY", "nonsense"][..], &["SETRANGE", "KEY", "16", "xx"], &["SET", "KEY", ""]] {
        let live = client.visit().await;
        let keys = server.cli(&["KEYS", "abide:s:*"]).await;
        let key = keys.lines().next().unwrap();
        let damage: Vec<_> = damage.iter().map(|part| if *part == "KEY" { key } else { part }).collect();
        server.cli(&damage).await;
        assert_eq!(client.load(&live).await.unwrap_err().kind(), ErrorKind::Corrupt, "{damage:?}");
        let write = client.set(&live, "a", b"1").await;
        assert_eq!(write.unwrap_err().kind(), ErrorKind::Corrupt, "{damage:?}");
        client.end(&live).await.unwrap();
        assert!(!client.is_live(&live).await);
        server.cli(&["FLUSHALL"]).await;
    }
    // Something of another kind is not touched.
    let live = client.visit().await;
    let key = server.cli(&["KEYS", "abide:s:*"]).await;
    server.cli(&["DEL", &key]).await;
    server.cli(&["LPUSH", &key, "1"]).await;
    assert_eq!(client.load(&live).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(client.set(&live, "a", b"1").await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(client.end(&live).await.unwrap_err().kind(), ErrorKind::Corrupt);
    assert_eq!(server.cli(&["LLEN", &key]).await, "1");
}
