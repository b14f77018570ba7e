//! Sessions of a process that ends go on at another server.

use std::sync::Arc;

use abide::core::{
    CreateOptions, EndReason, EndUserOptions, Error, ErrorKind, LoadOptions, ManualClock, Page, Peek,
    Readiness, Record, SessionStore as _, SystemEntropy, Timestamp,
};
use abide::wrappers::Handover;
use abide_harness::Method;
use tokio::time::timeout;

use crate::stage::{
    Network, Requests as _, SECOND, START, changes, clock, key, memory_on, network_on, new_record, setting,
    token, updating,
};

/// Servers that hand over through one store, which is behind a network.
struct Servers {
    clock: Arc<ManualClock>,
    shared: Network,
}

impl Servers {
    fn new() -> Self {
        let clock = clock();
        Self { shared: network_on(&clock), clock }
    }

    fn one(&self) -> Handover {
        let own = memory_on(&self.clock);
        Handover::with(own, self.shared.clone(), self.clock.clone(), Arc::new(SystemEntropy))
    }

    /// A server whose session 1, of ada, was handed over.
    async fn drained(&self) -> Handover {
        let server = self.one();
        server.open(1, new_record(1).user("ada", START).value("n", b"1".as_slice())).await.unwrap();
        let drained = server.drain(SECOND).await.unwrap();
        assert_eq!((drained.handed_over, drained.left_behind), (1, 0));
        server
    }
}

async fn value(server: &Handover, name: &str) -> Option<Vec<u8>> {
    server.look(1).await.unwrap().and_then(|loaded| loaded.record.value(name).map(<[u8]>::to_vec))
}

fn kind<T: std::fmt::Debug>(answer: Result<T, Error>) -> ErrorKind {
    answer.unwrap_err().kind()
}

#[tokio::test]
async fn a_server_that_misses_a_session_claims_it_whole_and_from_then_on_has_it() {
    let servers = Servers::new();
    let old = servers.one();
    let made = old.open(1, new_record(1).user("ada", START).value("n", b"1".as_slice())).await.unwrap();
    old.drain(SECOND).await.unwrap();
    let next = servers.one();
    assert!(matches!(next.peek(&key(1)), Peek::Ask), "it may be anywhere");
    assert_eq!(next.held(1).await.record, made.record);
    assert!(matches!(next.peek(&key(1)), Peek::Found(_)), "from now on here");
    assert_eq!(next.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 1);
    let calls = servers.shared.all_calls();
    next.merge(1, &setting(&made.record, "n", b"2")).await.unwrap();
    next.held(1).await;
    assert_eq!(servers.shared.all_calls(), calls, "and without a trip");
}

#[tokio::test]
async fn of_two_servers_that_claim_at_once_one_wins() {
    let servers = Servers::new();
    servers.drained().await;
    // Both have found the session before either takes it, and both take it before either lets go of the envelope.
    let (takes, discards) = (servers.shared.hold(Method::Commit), servers.shared.hold(Method::End));
    let claims = [servers.one(), servers.one()]
        .map(|server| tokio::spawn(async move { server.look(1).await.unwrap().is_some() }));
    for gate in [takes, discards] {
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
        gate.add_permits(10);
    }
    let mut won = 0;
    for claim in claims {
        won += u32::from(claim.await.unwrap());
    }
    assert_eq!(won, 1);
    assert_eq!(servers.shared.calls(Method::Commit), 2, "they met");
}

#[tokio::test]
async fn requests_of_one_server_that_claim_at_once_all_find_the_session() {
    let servers = Servers::new();
    servers.drained().await;
    let next = servers.one();
    let tasks: Vec<_> = (0..20)
        .map(|_| {
            tokio::spawn({
                let next = next.clone();
                async move { next.look(1).await }
            })
        })
        .collect();
    for task in tasks {
        assert!(task.await.unwrap().unwrap().is_some());
    }
}

#[tokio::test]
async fn what_is_written_while_the_server_drains_is_there_at_the_next() {
    let servers = Servers::new();
    let old = servers.drained().await;
    let held = old.held(1).await;
    old.merge(1, &updating(&held.record, "n", b"2")).await.unwrap();
    old.merge(1, &setting(&held.record, "late", b"x")).await.unwrap();
    old.open(2, new_record(2).value("n", b"7".as_slice())).await.expect("a session made during the drain");
    let next = servers.one();
    assert_eq!(value(&next, "n").await.as_deref(), Some(&b"2"[..]));
    assert_eq!(value(&next, "late").await.as_deref(), Some(&b"x"[..]));
    assert_eq!(next.held(2).await.record.value("n"), Some(&b"7"[..]));
}

#[tokio::test]
async fn what_the_old_server_writes_after_the_claim_is_refused_and_never_lost_in_silence() {
    let servers = Servers::new();
    let old = servers.drained().await;
    let held = old.held(1).await;
    let next = servers.one();
    next.held(1).await;
    assert_eq!(kind(old.merge(1, &setting(&held.record, "n", b"lost?")).await), ErrorKind::Unavailable);
    assert_eq!(kind(old.look(1).await), ErrorKind::Unavailable);
    assert_eq!(value(&next, "n").await.as_deref(), Some(&b"1"[..]));
}

#[tokio::test]
async fn nothing_of_a_session_that_was_logged_out_comes_back_through_a_hand_over() {
    // At the server that hands it over, before and after.
    let servers = Servers::new();
    let old = servers.drained().await;
    assert!(old.log_out(1).await.unwrap().was_live);
    assert!(servers.one().look(1).await.unwrap().is_none());
    assert!(old.look(1).await.unwrap().is_none());

    // At the one that claimed it.
    let servers = Servers::new();
    let old = servers.drained().await;
    let next = servers.one();
    let held = next.held(1).await;
    assert!(next.log_out(1).await.unwrap().was_live);
    assert!(next.look(1).await.unwrap().is_none() && servers.one().look(1).await.unwrap().is_none());
    assert!(old.merge(1, &setting(&held.record, "n", b"2")).await.is_err());
    next.drain(SECOND).await.unwrap();
    assert!(servers.one().look(1).await.unwrap().is_none(), "nor through its own drain");

    // At one that has not claimed it, by its key.
    let servers = Servers::new();
    servers.drained().await;
    let next = servers.one();
    assert!(next.log_out(1).await.unwrap().was_live);
    assert!(next.look(1).await.unwrap().is_none() && servers.one().look(1).await.unwrap().is_none());
}

#[tokio::test]
async fn a_logout_beats_the_hand_over_that_is_under_way() {
    let servers = Servers::new();
    let old = servers.one();
    old.open(1, new_record(1)).await.unwrap();
    let gate = servers.shared.hold(Method::Create);
    let drain = tokio::spawn({
        let old = old.clone();
        async move { old.drain(10 * SECOND).await }
    });
    tokio::task::yield_now().await;
    let logout = tokio::spawn({
        let old = old.clone();
        async move { old.log_out(1).await }
    });
    tokio::task::yield_now().await;
    gate.add_permits(10);
    drain.await.unwrap().unwrap();
    logout.await.unwrap().unwrap();
    assert!(old.look(1).await.unwrap().is_none() && servers.one().look(1).await.unwrap().is_none());
}

#[tokio::test]
async fn an_end_of_all_of_a_user_reaches_what_was_handed_over_and_refuses_a_later_claim() {
    let servers = Servers::new();
    let old = servers.drained().await;
    assert_eq!(old.end_user("ada", &EndUserOptions::default()).await.unwrap(), 1);
    assert!(servers.one().look(1).await.unwrap().is_none());

    let servers = Servers::new();
    servers.drained().await;
    let next = servers.one();
    servers.clock.advance(SECOND);
    next.end_user("ada", &EndUserOptions::default()).await.unwrap();
    assert!(next.look(1).await.unwrap().is_none(), "its login came before the end");
    assert!(servers.one().look(1).await.unwrap().is_none(), "nor anywhere else from then on");

    let servers = Servers::new();
    let old = servers.drained().await;
    assert_eq!(old.end_all(EndReason::EndedByAdministrator).await.unwrap(), 1);
    assert!(servers.one().look(1).await.unwrap().is_none());
}

#[tokio::test]
async fn a_session_goes_from_server_to_server_as_often_as_they_are_restarted() {
    let servers = Servers::new();
    let mut server = servers.drained().await;
    for n in 2..20_u8 {
        let next = servers.one();
        let held = next.held(1).await;
        next.merge(1, &setting(&held.record, "n", &[n])).await.unwrap();
        let drained = next.drain(SECOND).await.unwrap();
        assert_eq!((drained.handed_over, drained.left_behind), (1, 0));
        server = next;
    }
    assert_eq!(value(&server, "n").await, Some(vec![19]));
    assert_eq!(value(&servers.one(), "n").await, Some(vec![19]));
}

#[tokio::test]
async fn a_login_at_the_draining_server_is_a_new_era_at_the_next() {
    let servers = Servers::new();
    let old = servers.one();
    old.open(1, new_record(1)).await.unwrap();
    old.drain(SECOND).await.unwrap();
    let held = old.held(1).await;
    let mut login = changes(&held.record);
    let era = abide::core::NewEra::new([7; 16], token(1).verifier(), START + 3600 * SECOND);
    login.open_era(era.user("ada", START));
    let answered = old.merge(1, &login).await.unwrap();
    assert_eq!(old.of_user("ada", &Page::default()).await.unwrap().sessions.len(), 1);
    assert_eq!(servers.one().held(1).await.record, answered.record);
}

#[tokio::test(start_paused = true)]
async fn a_drain_whose_store_is_out_of_reach_keeps_its_deadline_and_leaves_the_server_as_it_was() {
    for hangs in [true, false] {
        let servers = Servers::new();
        let old = servers.one();
        old.open(1, new_record(1)).await.unwrap();
        servers.shared.set_hanging(hangs);
        servers.shared.set_down((!hangs).then_some(ErrorKind::Unavailable));
        let drained = timeout(2 * SECOND, old.drain(SECOND)).await.expect("it keeps its deadline");
        assert!(kind(drained) == ErrorKind::Unavailable || hangs);
        servers.shared.set_hanging(false);
        servers.shared.set_down(None);
        let held = old.held(1).await;
        old.merge(1, &setting(&held.record, "n", b"2")).await.expect("as it was");
        let drained = old.drain(SECOND).await.unwrap();
        assert_eq!((drained.handed_over, drained.left_behind), (1, 0), "and the next drain moves it");
        assert_eq!(value(&servers.one(), "n").await.as_deref(), Some(&b"2"[..]));
    }
}

#[tokio::test(start_paused = true)]
async fn an_envelope_whose_making_was_not_confirmed_is_made_once_and_a_logout_reaches_it() {
    let servers = Servers::new();
    let old = servers.one();
    old.open(1, new_record(1)).await.unwrap();
    servers.shared.lose_next_answer(Method::Create);
    assert_eq!(old.drain(SECOND).await.unwrap().handed_over, 1, "asked again, it meets itself");
    assert!(servers.one().look(1).await.unwrap().is_some());

    // It was made, and nobody ever heard of it.
    let servers = Servers::new();
    let old = servers.one();
    old.open(1, new_record(1)).await.unwrap();
    servers.shared.hang_next_answer(Method::Create);
    let _ = old.drain(SECOND).await;
    assert!(old.look(1).await.unwrap().is_some(), "left behind");
    old.log_out(1).await.unwrap();
    assert!(servers.one().look(1).await.unwrap().is_none(), "over, in both places");
}

#[tokio::test]
async fn a_server_serves_its_own_sessions_while_the_shared_store_is_out_of_reach() {
    let servers = Servers::new();
    let server = servers.one();
    server.open(1, new_record(1)).await.unwrap();
    servers.shared.set_down(Some(ErrorKind::Unavailable));
    assert!(server.look(1).await.unwrap().is_some());
    assert!(server.log_out(1).await.unwrap().was_live);
    assert_eq!(kind(server.look(2).await), ErrorKind::Unavailable, "one that it misses may be there");
    assert_eq!(server.ready().await, Readiness::Ready);
}

#[tokio::test]
async fn an_expired_session_is_neither_handed_over_nor_claimed() {
    let servers = Servers::new();
    let old = servers.one();
    old.open(1, new_record(1).idle_timeout(SECOND)).await.unwrap();
    old.open(2, new_record(2).idle_timeout(10 * SECOND)).await.unwrap();
    servers.clock.advance(SECOND);
    let drained = old.drain(SECOND).await.unwrap();
    assert_eq!((drained.handed_over, drained.left_behind), (1, 0));
    servers.clock.advance(9 * SECOND);
    assert!(servers.one().look(2).await.unwrap().is_none() && old.look(2).await.unwrap().is_none());
}

#[tokio::test]
async fn no_envelope_opens_a_session_or_shows_whose_it_is() {
    let servers = Servers::new();
    servers.drained().await;
    let shared = &servers.shared;
    assert!(shared.of_user("ada", &Page::default()).await.unwrap().sessions.is_empty());
    assert!(shared.load(&key(1), &LoadOptions::default()).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_update_is_lost_between_a_server_that_drains_and_the_one_that_takes_over() {
    let seed = abide_harness::seed();
    for round in 0..20 {
        let servers = Arc::new(Servers::new());
        let old = servers.one();
        old.open(1, new_record(1).value("n", b"0".as_slice())).await.unwrap();
        let next = servers.one();
        let clients: Vec<_> = (0..4_u64)
            .map(|client| {
                let (old, next) = (old.clone(), next.clone());
                let moves_on = (seed.rotate_left(round) ^ client) % 40;
                tokio::spawn(async move {
                    let mut done = 0_u64;
                    for step in 0..60 {
                        // Each client is sent elsewhere at a time of its own, once the drain is done.
                        let server = if step > moves_on + 20 { &next } else { &old };
                        done += u64::from(increment(server).await);
                        tokio::task::yield_now().await;
                    }
                    done
                })
            })
            .collect();
        old.drain(SECOND).await.unwrap();
        let mut done = 0;
        for client in clients {
            done += client.await.unwrap();
        }
        let held = next.held(1).await;
        let counted: u64 = std::str::from_utf8(held.record.value("n").unwrap()).unwrap().parse().unwrap();
        assert_eq!(counted, done, "round {round}: every update that was answered counted once");
    }
}

/// Whether an increment was taken.
async fn increment(server: &Handover) -> bool {
    for _ in 0..1_000 {
        let Ok(Some(held)) = server.look(1).await else { return false };
        let n: u64 = std::str::from_utf8(held.record.value("n").unwrap()).unwrap().parse().unwrap();
        match server.merge(1, &updating(&held.record, "n", (n + 1).to_string().as_bytes())).await {
            Ok(_) => return true,
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(_) => return false,
        }
    }
    false
}

#[tokio::test]
async fn a_session_that_a_full_server_has_no_room_for_waits_where_it_is() {
    let servers = Servers::new();
    servers.drained().await;
    let own = abide_memory::MemoryStore::builder().clock(servers.clock.clone()).max_sessions(1).build();
    let full = Handover::with(own, servers.shared.clone(), servers.clock.clone(), Arc::new(SystemEntropy));
    full.open(2, new_record(2).user("bob", Timestamp::from_millis(START.as_millis()))).await.unwrap();
    assert_eq!(kind(full.look(1).await), ErrorKind::Full);
    full.log_out(2).await.unwrap();
    assert!(full.look(1).await.unwrap().is_some(), "there is room now");
    let refused = full.create(token(3).key(), Record::create(new_record(3)), &CreateOptions::default()).await;
    assert_eq!(kind(refused), ErrorKind::Full);
}

#[tokio::test]
async fn options_that_cannot_hand_over_are_refused_by_name() {
    let refused = async |store: &str| {
        let config = abide::Config::new().store(store).insecure_http(true);
        config.open().await.unwrap_err().to_string()
    };
    assert_eq!(
        refused("memory:?handover=memory:").await,
        "store option `handover` names a store of this process alone, expected one that servers share"
    );
    assert_eq!(
        refused("memory:?handover=redis://127.0.0.1&snapshot=/x").await,
        "store options `snapshot` and `handover` are both set, expected one"
    );
    let unknown = refused("memory:?handover=memroy:").await;
    assert!(unknown.starts_with("store option `handover`: store scheme `memroy:` is unknown"), "{unknown}");
    let nested = refused("memory:?handover=redis://user:hush@127.0.0.1/0?prefx=a").await;
    assert!(!nested.contains("hush"), "{nested}");
    let from = abide::Config::new().store_from("memroy:").open().await.unwrap_err().to_string();
    assert!(from.starts_with("store_from: store scheme `memroy:` is unknown"), "{from}");
}
