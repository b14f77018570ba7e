//! A service that moves from one strategy to another, by one environment variable for each store, under load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use abide_harness::{JarBrowser, Kind, Redis, Seat};
use http::Method;
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use crate::stage::{Stage, signed_in, user_of};

const USERS: usize = 20;
/// So many more answers, and a user has surely gone on at the servers as they are now.
const SOME: u64 = 5;
const PACE: Duration = Duration::from_millis(15);
/// Far longer than that takes.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a slow request takes, and how far it is when somebody logs out.
const SLOW: Duration = Duration::from_millis(200);

/// A user who counts at their own pace until told to stop.
struct User {
    tally: Arc<Tally>,
    counting: JoinHandle<JarBrowser>,
}

/// How often counting was answered with a success, and how often it was not.
#[derive(Default)]
struct Tally {
    answered: AtomicU64,
    failed: AtomicU64,
}

impl User {
    fn start(browser: JarBrowser, stop: Arc<AtomicBool>) -> Self {
        let tally = Arc::<Tally>::default();
        Self { counting: tokio::spawn(counts(browser, tally.clone(), stop)), tally }
    }

    fn answered(&self) -> u64 {
        self.tally.answered.load(Ordering::Relaxed)
    }

    /// Ends counting. Answers the browser, and between what the counter must be.
    async fn end(self) -> (JarBrowser, u64, u64) {
        let browser = self.counting.await.unwrap();
        let answered = self.tally.answered.load(Ordering::Relaxed);
        // What was not answered with a success may have counted, once.
        (browser, answered, answered + self.tally.failed.load(Ordering::Relaxed))
    }
}

async fn counts(mut browser: JarBrowser, tally: Arc<Tally>, stop: Arc<AtomicBool>) -> JarBrowser {
    let mut last = 0;
    while !stop.load(Ordering::Relaxed) {
        match browser.try_send(Method::POST, "/values/n/increment", "").await {
            Some(answer) if answer.status.is_success() => {
                let value = answer.json()["value"].as_u64().unwrap();
                assert!(value > last, "{value} after {last}: an update was lost, or the session");
                last = value;
                tally.answered.fetch_add(1, Ordering::Relaxed);
            }
            _ => drop(tally.failed.fetch_add(1, Ordering::Relaxed)),
        }
        sleep(PACE).await;
    }
    browser
}

/// Three servers, and users who stay while the service moves.
struct Service {
    stage: Stage,
    stop: Arc<AtomicBool>,
    users: Vec<User>,
    /// Those who log out during a move, one during each.
    leaving: Vec<JarBrowser>,
    /// What those who left had in their browsers, and what their last requests left there.
    left: Vec<JarBrowser>,
}

impl Service {
    async fn open(store: &str, moves: usize) -> Self {
        let stage = Stage::start(Kind::Haproxy, store).await;
        let (stop, mut users, mut leaving) = (Arc::<AtomicBool>::default(), Vec::new(), Vec::new());
        for n in 0..USERS {
            let browser = signed_in(&stage, &format!("user {n}")).await.0;
            users.push(User::start(browser, stop.clone()));
        }
        for n in 0..moves {
            leaving.push(signed_in(&stage, &format!("leaving {n}")).await.0);
        }
        let service = Self { stage, stop, users, leaving, left: Vec::new() };
        service.goes_on().await;
        service
    }

    /// Replaces the servers, group by group, by ones with these settings. If it is a move, somebody logs out after the
    /// first group.
    async fn restarts(&mut self, groups: &[&[usize]], stores: &[String; 3], from: Option<&str>) {
        let from: Vec<_> = from.map(|from| ("ABIDE_STORE_FROM", from)).into_iter().collect();
        for (at, group) in groups.iter().enumerate() {
            // Planned: what is under way is finished, and who is behind a server that is gone goes to another, or waits.
            let ends: JoinSet<_> = group.iter().map(|n| self.stage.take(*n).terminate()).collect();
            assert!(ends.join_all().await.iter().all(|exit| exit.status.success()));
            for n in *group {
                self.stage.restart_with(*n, &stores[*n], &from).await;
            }
            for n in *group {
                self.stage.ready(*n).await;
            }
            self.goes_on().await;
            if at == 0 && !from.is_empty() {
                self.one_leaves().await;
            }
        }
        // Who is still idle comes by once, and so moves.
        for browser in &mut self.leaving {
            assert!(user_of(browser).await.is_some(), "who did nothing is still signed in");
        }
        self.nobody_is_back().await;
    }

    /// Waits until every user was answered some more.
    async fn goes_on(&self) {
        let more: Vec<_> = self.users.iter().map(|user| user.answered() + SOME).collect();
        for (n, (user, more)) in self.users.iter().zip(more).enumerate() {
            let answered = timeout(PATIENCE, async {
                while user.answered() < more {
                    assert!(!user.counting.is_finished(), "user {n} found something wrong");
                    sleep(Duration::from_millis(10)).await;
                }
            });
            answered.await.unwrap_or_else(|_| panic!("user {n} is not answered any more"));
        }
    }

    /// Somebody who did nothing since the last move logs out, while a request of theirs is under way.
    async fn one_leaves(&mut self) {
        let mut browser = self.leaving.pop().unwrap();
        assert!(user_of(&mut browser).await.is_some(), "who did nothing is still signed in");
        let (mut slow, copy) = (browser.clone(), browser.clone());
        let slow = tokio::spawn(async move {
            let path = format!("/slow?ms={}", SLOW.as_millis());
            slow.send(Method::POST, &path, r#"{"late":1}"#).await;
            slow
        });
        sleep(SLOW / 2).await;
        assert!(browser.send(Method::POST, "/logout", "").await.status.is_success());
        self.left.extend([slow.await.unwrap(), copy]);
    }

    async fn nobody_is_back(&self) {
        for copy in &self.left {
            for server in self.stage.addresses() {
                let user = user_of(&mut copy.at(*server)).await;
                assert_eq!(user, None, "a logout during the move stays a logout");
            }
        }
    }

    /// The users stop, and are known with all that they counted, at every server; who left is not. Answers how many
    /// requests were answered with a success, and how many were not.
    async fn close(self) -> (u64, u64) {
        self.stop.store(true, Ordering::Relaxed);
        self.nobody_is_back().await;
        assert!(self.leaving.is_empty(), "somebody left during each move");
        let (mut answered, mut failed) = (0, 0);
        for (n, user) in self.users.into_iter().enumerate() {
            let (browser, least, most) = user.end().await;
            (answered, failed) = (answered + least, failed + most - least);
            for server in self.stage.addresses() {
                let mut browser = browser.at(*server);
                assert_eq!(user_of(&mut browser).await, Some(format!("user {n}")), "still signed in");
                let held = browser.get("/values/n").await.json().as_u64().unwrap();
                assert!(held >= least, "user {n}: {least} answered, {held} held");
                assert!(held <= most, "user {n}: {most} asked for, {held} held");
            }
        }
        (answered, failed)
    }
}

/// One after the other: where the next server takes over what one had.
const EACH: &[&[usize]] = &[&[0], &[1], &[2]];
/// All at once: who comes meanwhile waits.
const ALL: &[&[usize]] = &[&[0, 1, 2]];
/// As many as found a cluster, then the rest.
const MOST_FIRST: &[&[usize]] = &[&[0, 1], &[2]];

/// The whole way, with the same users and the same counters: by two environment variables of each server, `ABIDE_STORE`
/// and, as long as a move lasts, `ABIDE_STORE_FROM`.
#[tokio::test]
async fn a_service_moves_from_the_process_to_redis_and_on_to_a_cluster_live_and_nobody_is_logged_out() {
    let redis = Redis::single().await;
    let memory = format!("memory:?handover={}", redis.url());
    let links = [(); 3].map(|()| Seat::free().peers);
    let join = links.map(|link| link.to_string()).join(",");
    let shared = [(); 3].map(|()| redis.url());
    let cluster = links.map(|link| format!("cluster://{link}?join={join}"));

    let mut service = Service::open(&memory, 2).await;
    service.restarts(EACH, &shared, Some(&memory)).await;
    service.restarts(MOST_FIRST, &cluster, Some(&shared[0])).await;
    service.restarts(EACH, &cluster, None).await;
    // Everything has moved, so the old one may go.
    drop(redis);
    service.goes_on().await;
    let (answered, failed) = service.close().await;
    println!("{answered} requests answered, {failed} failed");
    // None, but where a busy machine needs longer than a second for an operation: there was a server for everybody.
    assert!(failed * 100 <= answered, "{failed} requests failed, {answered} were answered");
}

#[tokio::test]
async fn a_service_moves_from_one_redis_to_another_live_and_nobody_is_logged_out() {
    let (old, new) = (Redis::single().await, Redis::single().await);
    let shared = [(); 3].map(|()| new.url());
    let mut service = Service::open(&old.url(), 1).await;
    service.restarts(ALL, &shared, Some(&old.url())).await;
    service.restarts(ALL, &shared, None).await;
    drop(old);
    service.goes_on().await;
    service.close().await;
}

#[tokio::test]
async fn a_service_moves_from_the_process_to_redis_by_its_snapshot_and_nobody_is_logged_out() {
    let redis = Redis::single().await;
    let before = "memory:?snapshot={folder}/sessions-{n}";
    let mut stage = Stage::start(Kind::Haproxy, before).await;
    let mut users = Vec::new();
    for n in 0..USERS {
        let (mut browser, _) = signed_in(&stage, &format!("user {n}")).await;
        assert!(browser.send(Method::PUT, "/values/n", n.to_string()).await.status.is_success());
        users.push(browser);
    }
    let mut copy = users[0].clone();
    assert!(users[0].send(Method::POST, "/logout", "").await.status.is_success());
    for n in 0..3 {
        let exit = stage.take(n).terminate().await;
        assert!(exit.stderr.contains(" 0 left behind"), "{exit:?}");
        stage.restart_with(n, &redis.url(), &[("ABIDE_STORE_FROM", before)]).await;
    }
    sleep(Duration::from_millis(700)).await;
    for (n, browser) in users.iter_mut().enumerate().skip(1) {
        assert_eq!(user_of(browser).await, Some(format!("user {n}")));
        assert_eq!(browser.get("/values/n").await.json(), n);
    }
    assert_eq!(user_of(&mut copy).await, None, "logged out before, and out after");
    // From now on any server serves them.
    for browser in users.iter_mut().skip(1) {
        browser.cookies.remove("route");
        assert!(user_of(browser).await.is_some());
    }
}
