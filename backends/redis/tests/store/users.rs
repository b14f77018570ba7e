//! What a user's list is worth where things go wrong between its steps.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{
    CommitOptions, CreateOptions, EndUserOptions, ErrorKind, Page, Record, SessionKey, SessionStore as _,
    SystemEntropy, Token,
};
use abide_harness::Redis;

use crate::stage::{Client, IDLE, builder, clock};

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
    slide.seen_at(client.now() + IDLE / 10);
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
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    assert_eq!(server.cli(&["ZCARD", &list(&server).await]).await, "1");
    client.end(&live).await.unwrap();
    assert_eq!(list(&server).await, "", "a list without entries is gone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_login_at_another_process_escapes_the_end_of_all_of_its_user() {
    let server = Redis::single().await;
    let (client, other) = (Arc::new(Client::on(&server).await), Client::on(&server).await);
    for round in 0..200 {
        let (user, live) = (format!("ada {round}"), client.visit().await);
        let began = CommitOptions::default().began(client.now());
        tokio::time::sleep(Duration::from_millis(1)).await;
        let login = client.login(&live.record, &user);
        let (logging, session) = (client.clone(), live.clone());
        let login = tokio::spawn(async move {
            let answer = logging.store.commit(session.key(), session.loaded.version, &login, &began).await;
            answer.map(|_| ()).map_err(|error| error.kind())
        });
        // At another moment of the login each time.
        tokio::time::sleep(Duration::from_micros(20 * (round % 20))).await;
        other.store.end_user(&user, &EndUserOptions::default()).await.unwrap();
        let answer = login.await.unwrap();
        let fine = matches!(answer, Ok(()) | Err(ErrorKind::Superseded | ErrorKind::Ended));
        assert!(fine, "round {round}: {answer:?}");
        let held = other.load(&live).await.unwrap();
        let of = held.and_then(|held| held.record.era().and_then(|era| era.user().cloned()));
        assert_eq!(of, None, "round {round}: the login escaped");
    }
}

async fn log_in_with_a_limit_of_two(client: &Client) -> Vec<SessionKey> {
    let token = Token::generate(&SystemEntropy).unwrap();
    let record = Record::create(client.new_record(&token).user("ada", client.now()));
    let options = CreateOptions::default().user_limit(NonZeroUsize::new(2));
    client.store.create(token.key(), record, &options).await.unwrap().ended().to_vec()
}

#[tokio::test]
async fn a_session_that_is_over_before_its_entry_says_so_counts_towards_no_limit() {
    let (server, clock) = (Redis::single().await, clock());
    let client = Client::open(builder(&server.url()), clock.clone()).await;
    let lasting = client.log_in("ada").await;
    // The later one of the two: if it counted, the other would be the one too many.
    clock.advance(Duration::from_millis(1));
    let brief = client.log_in("ada").await;
    let mut shorter = client.changes(&brief.record);
    shorter.set_idle_timeout(Duration::from_secs(1));
    client.commit(&brief, &shorter).await.unwrap();
    clock.advance(Duration::from_secs(1));
    assert_eq!(log_in_with_a_limit_of_two(&client).await, []);
    assert!(client.is_live(&lasting).await);
}

#[tokio::test]
async fn one_that_was_marked_as_too_many_by_a_process_that_died_is_ended_by_the_next_login() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let marked = client.log_in("ada").await;
    let mark = "local list = redis.call('KEYS', 'abide:u:*')[1] local member = redis.call('ZRANGE', list, 0, -1)[1] \
                redis.call('ZADD', list, redis.call('ZSCORE', list, member), 'o' .. string.sub(member, 2)) \
                return redis.call('ZREM', list, member)";
    assert_eq!(server.cli(&["EVAL", mark, "0"]).await, "1");
    assert_eq!(log_in_with_a_limit_of_two(&client).await, [*marked.key()]);
    assert!(!client.is_live(&marked).await);
    assert_eq!(server.cli(&["ZCARD", &list(&server).await]).await, "1");
}

#[tokio::test]
async fn a_slide_that_is_asked_for_again_is_in_the_list_though_the_session_had_it() {
    let server = Redis::single().await;
    let client = Client::on(&server).await;
    let live = client.log_in("ada").await;
    let mut slide = client.changes(&live.record);
    slide.seen_at(client.now() + IDLE / 10);
    client.commit(&live, &slide).await.unwrap();
    // As if the list had not been reached.
    assert_eq!(server.cli(&["DEL", &list(&server).await]).await, "1");
    let retry = CommitOptions::default().retry(true);
    client.store.commit(live.key(), live.loaded.version, &slide, &retry).await.unwrap();
    assert_eq!(client.store.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 1);
}
