//! Sessions move from one store to another while clients go on.

use std::sync::Arc;

use abide::core::{
    Capabilities, EndReason, EndUserOptions, ErrorKind, Page, Peek, Readiness, SessionStore as _, UserSession,
};
use abide::wrappers::Migrating;
use abide_harness::Method;

use crate::stage::{
    Network, Requests as _, SECOND, START, clock, key, memory_on, network_on, new_record, setting, updating,
};

/// A service that moves, with both its stores behind networks.
struct Service {
    old: Network,
    new: Network,
    clock: Arc<abide::core::ManualClock>,
}

impl Service {
    fn new() -> Self {
        let clock = clock();
        Self { old: network_on(&clock), new: network_on(&clock), clock }
    }

    fn server(&self) -> Migrating {
        Migrating::new(self.old.clone(), self.new.clone())
    }

    /// With ada's session 1 in the old store.
    async fn about_to_move() -> (Self, Migrating) {
        let service = Self::new();
        service.old.open(1, new_record(1).user("ada", START).value("n", b"0".as_slice())).await.unwrap();
        let server = service.server();
        (service, server)
    }

    async fn places(&self) -> (bool, bool) {
        (self.old.look(1).await.unwrap().is_some(), self.new.look(1).await.unwrap().is_some())
    }
}

#[tokio::test]
async fn a_session_moves_whole_when_it_is_first_asked_for() {
    let (service, server) = Service::about_to_move().await;
    let before = service.old.held(1).await;
    assert_eq!(server.held(1).await.record, before.record);
    assert_eq!(service.places().await, (false, true));
    server.merge(1, &setting(&before.record, "n", b"1")).await.unwrap();
    assert_eq!(server.held(1).await.record.value("n"), Some(&b"1"[..]));
    let loads = service.old.calls(Method::Load);
    server.held(1).await;
    assert_eq!(service.old.calls(Method::Load), loads, "the old store is asked no more");
    server.open(2, new_record(2)).await.unwrap();
    assert!(service.old.look(2).await.unwrap().is_none(), "a new one begins in the new store");
}

#[tokio::test]
async fn a_commit_to_a_session_that_did_not_move_yet_moves_it() {
    let (service, server) = Service::about_to_move().await;
    let before = service.old.held(1).await;
    server.merge(1, &updating(&before.record, "n", b"1")).await.unwrap();
    assert_eq!(service.places().await, (false, true));
    assert_eq!(server.held(1).await.record.value("n"), Some(&b"1"[..]));
}

#[tokio::test]
async fn a_logout_during_the_move_stays_a_logout() {
    let (service, one) = Service::about_to_move().await;
    let two = service.server();
    // One server has read the old store; before it writes the new one, the session is logged out at the other.
    let gate = service.new.hold(Method::Create);
    let slow = tokio::spawn(async move { one.look(1).await });
    while service.new.calls(Method::Create) == 0 {
        tokio::task::yield_now().await;
    }
    assert!(two.log_out(1).await.unwrap().was_live);
    gate.add_permits(10);
    assert!(slow.await.unwrap().unwrap().is_none());
    assert_eq!(service.places().await, (false, false));
    assert!(service.server().look(1).await.unwrap().is_none());
}

#[tokio::test]
async fn a_logout_before_the_move_reaches_both_stores_or_says_that_it_did_not() {
    let (service, server) = Service::about_to_move().await;
    service.old.lose_next(Method::End, ErrorKind::Unavailable);
    assert_eq!(server.log_out(1).await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert!(server.look(1).await.unwrap().is_none(), "the new store remembers it already");
    server.log_out(1).await.unwrap();
    assert_eq!(service.places().await, (false, false));
}

#[tokio::test]
async fn an_end_of_all_of_a_user_reaches_both_stores_and_what_is_on_its_way() {
    let (service, one) = Service::about_to_move().await;
    let two = service.server();
    service.new.open(2, new_record(2).user("ada", START)).await.unwrap();
    service.clock.advance(SECOND);
    let gate = service.new.hold(Method::Create);
    let slow = tokio::spawn(async move { one.look(1).await });
    while service.new.calls(Method::Create) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(two.end_user("ada", &EndUserOptions::default()).await.unwrap(), 2);
    gate.add_permits(10);
    assert!(slow.await.unwrap().unwrap().is_none());
    assert_eq!(service.places().await, (false, false));

    let (service, server) = Service::about_to_move().await;
    assert_eq!(server.end_all(EndReason::EndedByAdministrator).await.unwrap(), 1);
    assert_eq!(service.places().await, (false, false));
}

#[tokio::test]
async fn the_session_that_is_spared_moves_and_goes_on() {
    let (service, server) = Service::about_to_move().await;
    service.clock.advance(SECOND);
    let options = EndUserOptions::default().except(Some(key(1)));
    assert_eq!(server.end_user("ada", &options).await.unwrap(), 0);
    assert!(server.look(1).await.unwrap().is_some());
}

#[tokio::test]
async fn a_users_sessions_are_one_list_by_pages_too() {
    let (service, server) = Service::about_to_move().await;
    for n in 2..8 {
        let store: &Network = if n % 2 == 0 { &service.old } else { &service.new };
        store.open(n, new_record(n).user("ada", START)).await.unwrap();
    }
    let (mut found, mut page) = (Vec::<UserSession>::new(), Page::default().limit(2));
    loop {
        let answer = server.of_user("ada", &page).await.unwrap();
        assert!(answer.sessions.len() <= 2);
        found.extend(answer.sessions);
        match answer.next {
            Some(last) => page = page.after(Some(last)),
            None => break,
        }
    }
    let mut keys: Vec<_> = found.iter().map(|session| session.key).collect();
    keys.sort();
    keys.dedup();
    assert_eq!((found.len(), keys.len()), (7, 7));
}

#[tokio::test]
async fn a_copy_that_could_not_be_ended_is_ended_later_and_never_counts() {
    let (service, server) = Service::about_to_move().await;
    service.old.lose_next(Method::End, ErrorKind::Unavailable);
    let held = server.held(1).await;
    assert_eq!(service.places().await, (true, true));
    server.merge(1, &setting(&held.record, "n", b"1")).await.unwrap();
    assert_eq!(server.held(1).await.record.value("n"), Some(&b"1"[..]));
    assert_eq!(service.places().await, (false, true));
}

#[tokio::test]
async fn without_the_old_store_what_moved_is_served_and_the_rest_is_out_of_reach() {
    let (service, server) = Service::about_to_move().await;
    server.held(1).await;
    service.old.set_down(Some(ErrorKind::Unavailable));
    assert!(server.look(1).await.unwrap().is_some());
    assert_eq!(server.look(2).await.unwrap_err().kind(), ErrorKind::Unavailable);
}

#[tokio::test]
async fn a_drain_keeps_what_did_not_move_and_what_did() {
    let place = std::env::temp_dir().join(format!("abide-migrating-{}", std::process::id()));
    let open = async || {
        let builder = abide_memory::MemoryStore::builder().snapshot(&place);
        Arc::new(builder.open().await.unwrap())
    };
    let old = open().await;
    let now = abide::core::Clock::now(&abide::core::SystemClock);
    let new = |n: u8| {
        use abide::core::{NewRecord, Stamps};
        NewRecord::new(Stamps::new(7).next(now), [n; 16], crate::stage::token(n).verifier(), now)
    };
    old.open(1, new(1)).await.unwrap();
    old.open(2, new(2)).await.unwrap();
    let server = Migrating::new(old, Arc::new(abide_memory::MemoryStore::new()));
    server.held(1).await;
    let drained = server.drain(5 * SECOND).await.unwrap();
    assert_eq!((drained.handed_over, drained.left_behind), (1, 1));
    drop(server);
    let old = open().await;
    assert!(old.look(2).await.unwrap().is_some() && old.look(1).await.unwrap().is_none());
}

#[tokio::test]
async fn it_can_do_what_both_stores_can() {
    let (one, two) = (memory_on(&clock()), memory_on(&clock()));
    let both = Migrating::new(Arc::new(one), Arc::new(two));
    assert_eq!(both.capabilities(), Capabilities::none().peeks(true));
    assert!(matches!(both.peek(&key(1)), Peek::Absent));
    assert_eq!(both.ready().await, Readiness::Ready);
    let (service, server) = Service::about_to_move().await;
    assert_eq!(server.capabilities(), service.new.capabilities());
}

#[tokio::test]
async fn what_only_the_old_store_has_peeks_as_to_be_asked_for() {
    let clock = clock();
    let (old, new) = (memory_on(&clock), memory_on(&clock));
    old.open(1, new_record(1)).await.unwrap();
    let server = Migrating::new(Arc::new(old), Arc::new(new));
    assert!(matches!(server.peek(&key(1)), Peek::Ask), "it moves before anybody goes by it");
    server.held(1).await;
    assert!(matches!(server.peek(&key(1)), Peek::Found(_)));
    assert!(matches!(server.peek(&key(2)), Peek::Absent));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_is_lost_while_several_servers_move_one_session() {
    for round in 0..50 {
        let clock = clock();
        let (old, new) = (memory_on(&clock), memory_on(&clock));
        old.open(1, new_record(1).value("n", b"0".as_slice())).await.unwrap();
        let clients: Vec<_> = (0..4)
            .map(|_| {
                let server = Migrating::new(Arc::new(old.clone()), Arc::new(new.clone()));
                tokio::spawn(async move {
                    for _ in 0..25 {
                        increment(&server).await;
                    }
                })
            })
            .collect();
        for client in clients {
            client.await.unwrap();
        }
        assert_eq!(new.held(1).await.record.value("n"), Some(&b"100"[..]), "round {round}");
    }
}

async fn increment(server: &Migrating) {
    loop {
        let held = server.held(1).await;
        let n: u64 = std::str::from_utf8(held.record.value("n").unwrap()).unwrap().parse().unwrap();
        match server.merge(1, &updating(&held.record, "n", (n + 1).to_string().as_bytes())).await {
            Ok(_) => return,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict),
        }
    }
}
