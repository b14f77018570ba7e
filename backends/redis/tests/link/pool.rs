//! A pool that was brought.

use std::error::Error as _;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use abide_core::ErrorKind;
use abide_harness::Redis;
use abide_redis::RedisStore;
use abide_redis::connect::{Address, LinkOptions, Servers, Terms};
use deadpool_redis::{Config, Pool, Runtime};
use redis::Value;

use futures_util::future::join_all;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::stage::{Load, read, set, soon, until, up};

fn pool(server: &Redis, size: usize) -> Pool {
    let builder = Config::from_url(server.url()).builder().unwrap();
    builder.max_size(size).runtime(Runtime::Tokio1).build().unwrap()
}

fn on(pool: &Pool) -> Servers {
    Servers::open(Address::pool(pool.clone()), LinkOptions::new()).unwrap()
}

async fn works(servers: &Servers) {
    servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap();
    assert_eq!(read(servers, "a").await.unwrap(), Value::BulkString(b"1".to_vec()));
}

#[tokio::test]
async fn one_connection_of_a_pool_serves_everybody_and_the_rest_stays_the_applications() {
    let redis = Redis::single().await;
    let pool = pool(&redis, 2);
    let servers = on(&pool);
    up(&servers).await;
    let load = Load::start(&servers, 16, "a");
    load.goes_on().await;
    let mut own = pool.get().await.unwrap();
    let answer: String = redis::cmd("PING").query_async(&mut own).await.unwrap();
    assert_eq!(answer, "PONG");
    load.goes_on().await;
    assert_eq!(load.end().await.failed(), 0);
    assert_eq!(pool.status().size, 2);
}

#[tokio::test]
async fn a_write_on_a_pool_waits_for_replicas_on_a_connection_that_goes_back() {
    let (master, replica) = tokio::join!(Redis::single(), Redis::single());
    replica.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await;
    replica.until("master_link_status", "up").await;
    let pool = pool(&master, 2);
    let servers = on(&pool);
    until(|| servers.replicas(b"a") == Some(1)).await;
    for _ in 0..3 {
        let done = servers.run_and_wait(b"a", &set("a", "1"), 1, Terms::write(soon())).await.unwrap();
        assert_eq!(done.replicas, 1);
        assert_eq!((pool.status().size, pool.status().available), (2, 1));
    }
    // One that may still be answered is nobody's.
    replica.stop().await;
    let shortly = Terms::write(tokio::time::Instant::now() + Duration::from_millis(200));
    let write = set("a", "1");
    let waiting = servers.run_and_wait(b"a", &write, 1, shortly);
    tokio::time::timeout(Duration::from_millis(100), waiting).await.unwrap_err();
    assert_eq!(pool.status().size, 1);
    // How long an answer may take is for us to say: the pool's connections would break off after half a second.
    let terms = Terms::write(tokio::time::Instant::now() + Duration::from_secs(1));
    assert_eq!(servers.run_and_wait(b"a", &write, 1, terms).await.unwrap().replicas, 0);
    replica.cont().await;
}

#[tokio::test]
async fn a_pools_server_that_is_away_is_given_up_refused_at_once_and_found_again() {
    let redis = Redis::single().await;
    let servers = on(&pool(&redis, 2));
    up(&servers).await;
    for _ in 0..2 {
        redis.stop().await;
        until(|| !servers.ready()).await;
        // It refuses, and sends nothing that may be done later.
        let error = servers.run(b"a", &set("a", "late"), Terms::write(soon())).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        redis.cont().await;
        up(&servers).await;
        works(&servers).await;
    }
}

#[tokio::test]
async fn a_connection_of_a_pool_to_a_server_that_became_a_replica_is_not_taken_again() {
    let (redis, other) = tokio::join!(Redis::single(), Redis::single());
    let pool = pool(&redis, 4);
    let servers = on(&pool);
    up(&servers).await;
    redis.cli(&["REPLICAOF", "127.0.0.1", &other.port().to_string()]).await;
    until(|| !servers.ready()).await;
    let error = servers.run(b"a", &set("a", "1"), Terms::write(soon())).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert_eq!(pool.status().available, 0);
    redis.cli(&["REPLICAOF", "NO", "ONE"]).await;
    up(&servers).await;
    works(&servers).await;
}

#[tokio::test]
async fn what_a_pool_cannot_do_is_refused_when_it_is_brought() {
    let redis = Redis::single().await;
    let refused = |size| Servers::open(Address::pool(pool(&redis, size)), LinkOptions::new()).unwrap_err();
    assert!(refused(1).to_string().contains("expected 2 or more"), "{}", refused(1));
    let address = || Address::pool(pool(&redis, 2));
    let database = address().with_database(1).unwrap_err().to_string();
    assert!(database.contains("the database is the pool's"), "{database}");
    let near = RedisStore::builder(address()).near_cache(1 << 20).open().unwrap_err().to_string();
    assert!(near.contains("expected the near-cache to be off"), "{near}");
}

#[tokio::test]
async fn a_pool_that_was_closed_serves_until_its_connection_is_gone_and_says_why() {
    let redis = Redis::single().await;
    let pool = pool(&redis, 2);
    let servers = on(&pool);
    up(&servers).await;
    pool.close();
    works(&servers).await;
    redis.cli(&["CLIENT", "KILL", "TYPE", "normal"]).await;
    until(|| !servers.ready()).await;
    let error = read(&servers, "a").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.source().unwrap().to_string().contains("the pool is closed"), "{error:?}");
}

/// An address that leads where it is told to; connections stay with whom they were made to.
async fn moving(to: SocketAddr) -> (SocketAddr, Arc<Mutex<SocketAddr>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, to) = (listener.local_addr().unwrap(), Arc::new(Mutex::new(to)));
    let leads = to.clone();
    tokio::spawn(async move {
        while let Ok((mut client, _)) = listener.accept().await {
            let to = *leads.lock().unwrap();
            tokio::spawn(async move {
                let mut server = TcpStream::connect(to).await.unwrap();
                let _ = copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    (address, to)
}

#[tokio::test]
async fn a_pool_whose_address_leads_to_another_master_follows_it_with_every_connection() {
    let (one, two) = tokio::join!(Redis::single(), Redis::single());
    let follow = async |replica: &Redis, master: &Redis| {
        replica.cli(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await;
        replica.until("master_link_status", "up").await;
    };
    follow(&two, &one).await;
    let (address, leads) = moving(one.address()).await;
    let builder = Config::from_url(format!("redis://{address}")).builder().unwrap();
    let pool = builder.max_size(8).runtime(Runtime::Tokio1).build().unwrap();
    let servers = on(&pool);
    until(|| servers.replicas(b"a") == Some(1)).await;
    let write = set("a", "1");
    let waits = async || servers.run_and_wait(b"a", &write, 1, Terms::write(soon())).await;
    tokio::join!(waits(), waits(), waits(), waits()).0.unwrap();
    two.cli(&["REPLICAOF", "NO", "ONE"]).await;
    follow(&one, &two).await;
    *leads.lock().unwrap() = two.address();
    until(|| servers.replicas(b"a") == Some(1)).await;
    while waits().await.is_err() {}
    // As many as were ever open lead to the new one.
    for done in join_all((0..4).map(|_| waits())).await {
        assert_eq!(done.unwrap().replicas, 1);
    }
    works(&servers).await;
}

#[tokio::test]
async fn a_pool_shows_no_password() {
    let config = Config::from_url("redis://somebody:s3cr3t@127.0.0.1:1");
    let pool = config.create_pool(Some(Runtime::Tokio1)).unwrap();
    let address = Address::pool(pool);
    let shown = format!("{address:?} {:?}", Servers::open(address.clone(), LinkOptions::new()).unwrap());
    assert!(!shown.contains("s3cr3t") && !shown.contains("somebody"), "{shown}");
}
