//! A Sentinel set: one master, two replicas, three sentinels.

use tokio::time::{sleep, timeout};

use super::server::{BETWEEN_LOOKS, PATIENCE};
use super::{Redis, RedisSettings};

/// The name of the master.
const NAME: &str = "abide";

/// A Sentinel set that takes a master for dead after a second.
#[derive(Debug)]
pub struct SentinelSet {
    /// The master of the beginning, and two replicas.
    pub servers: Vec<Redis>,
    /// Three sentinels, two of which decide.
    pub sentinels: Vec<Redis>,
}

impl SentinelSet {
    /// A set in which everybody knows everybody, and the replicas have caught up.
    ///
    /// # Panics
    ///
    /// Where it does not come up within a minute.
    pub async fn start() -> Self {
        Self::start_with(RedisSettings::default(), None).await
    }

    /// A set whose servers, not its sentinels, want a password.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn start_with_password(password: &str) -> Self {
        let settings =
            RedisSettings::default().set("requirepass", &[password]).set("masterauth", &[password]);
        Self::start_with(settings.cli(&["-a", password]), Some(password)).await
    }

    async fn start_with(settings: RedisSettings, password: Option<&str>) -> Self {
        let settings = settings.set("repl-diskless-sync-delay", &["0"]);
        let master = Redis::start(settings.clone()).await;
        let port = master.port().to_string();
        let replica = || Redis::start(settings.clone().set("replicaof", &["127.0.0.1", &port]));
        let (first, second) = tokio::join!(replica(), replica());
        let sentinel = || Redis::start(RedisSettings::default().sentinel(file(&port, password)));
        let (one, two, three) = tokio::join!(sentinel(), sentinel(), sentinel());
        let set = Self { servers: vec![master, first, second], sentinels: vec![one, two, three] };
        set.settled().await;
        set
    }

    /// Waits until the sentinels agree on a master that serves, with all replicas that run linked to it.
    ///
    /// # Panics
    ///
    /// Where they do not within a minute.
    pub async fn settled(&self) {
        let settled = timeout(PATIENCE, async {
            while !self.is_settled().await {
                sleep(BETWEEN_LOOKS).await;
            }
        });
        settled.await.expect("the sentinels agree");
    }

    /// Which of the servers is the master, by the first sentinel that serves.
    ///
    /// # Panics
    ///
    /// Where none serves.
    pub async fn master(&self) -> usize {
        let port = port_of_master(self.sentinel()).await;
        self.servers
            .iter()
            .position(|server| server.port() == port)
            .expect("the master is one of the servers")
    }

    /// From now on servers that do not answer are waited for.
    ///
    /// # Panics
    ///
    /// Where a sentinel refuses.
    pub async fn take_nobody_for_dead(&self) {
        for sentinel in &self.sentinels {
            let set = ["SENTINEL", "SET", NAME, "down-after-milliseconds", "600000"];
            assert_eq!(sentinel.cli(&set).await, "OK");
        }
    }

    /// Begins an orderly failover.
    ///
    /// # Panics
    ///
    /// Where the sentinels refuse.
    pub async fn fail_over(&self) {
        assert_eq!(self.sentinel().cli(&["SENTINEL", "FAILOVER", NAME]).await, "OK");
    }

    /// The URL of the set.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(|sentinel| sentinel.address().to_string()).collect();
        format!("redis+sentinel://{}/{NAME}/0", hosts.join(","))
    }

    fn sentinel(&self) -> &Redis {
        self.sentinels.iter().find(|sentinel| sentinel.serves()).expect("a sentinel serves")
    }

    async fn is_settled(&self) -> bool {
        let master = &self.servers[self.master().await];
        if !master.serves() || master.info("role").await != "master" {
            return false;
        }
        let replicas = self.servers.iter().filter(|server| server.serves()).count() - 1;
        if master.info("connected_slaves").await != replicas.to_string() {
            return false;
        }
        for server in self.servers.iter().filter(|server| server.serves() && server.port() != master.port()) {
            if server.info("master_link_status").await != "up" {
                return false;
            }
        }
        for sentinel in self.sentinels.iter().filter(|sentinel| sentinel.serves()) {
            if port_of_master(sentinel).await != master.port() || !self.is_ready(sentinel).await {
                return false;
            }
        }
        true
    }

    /// Whether a sentinel knows the others and could have a majority for a failover.
    async fn is_ready(&self, sentinel: &Redis) -> bool {
        let quorum = sentinel.cli(&["SENTINEL", "CKQUORUM", NAME]).await;
        let all = format!("OK {} usable Sentinels", self.sentinels.iter().filter(|one| one.serves()).count());
        let replicas = sentinel.cli(&["SENTINEL", "REPLICAS", NAME]).await;
        let linked = replicas.matches("master-link-status\nok").count();
        quorum.starts_with(&all) && linked == self.servers.iter().filter(|server| server.serves()).count() - 1
    }
}

async fn port_of_master(sentinel: &Redis) -> u16 {
    let answer = sentinel.cli(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME]).await;
    answer.lines().nth(1).and_then(|port| port.trim().parse().ok()).expect("a sentinel names the master")
}

fn file(port: &str, password: Option<&str>) -> String {
    let login = password.map(|password| format!("sentinel auth-pass {NAME} {password}\n"));
    format!(
        "sentinel monitor {NAME} 127.0.0.1 {port} 2\n\
         sentinel down-after-milliseconds {NAME} 1000\n\
         sentinel failover-timeout {NAME} 10000\n\
         sentinel parallel-syncs {NAME} 2\n{}",
        login.unwrap_or_default()
    )
}
