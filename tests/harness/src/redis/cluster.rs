//! A Redis Cluster: three masters, a replica of each.

use tokio::time::{sleep, timeout};

use super::server::{BETWEEN_LOOKS, PATIENCE};
use super::{Redis, RedisSettings};

const MASTERS: usize = 3;
const SLOTS: usize = 16_384;

/// A Cluster that takes a master for dead after two seconds.
#[derive(Debug)]
pub struct RedisCluster {
    /// The three masters of the beginning, then their replicas in the same order.
    pub servers: Vec<Redis>,
}

/// One line of `CLUSTER NODES`.
#[derive(Clone, Debug)]
struct Line {
    id: String,
    port: u16,
    master: bool,
    failing: bool,
    /// The id of a replica's master.
    of: String,
    slots: Vec<(usize, usize)>,
}

impl RedisCluster {
    /// A Cluster in which everybody knows everybody, and the replicas have caught up.
    ///
    /// # Panics
    ///
    /// Where it does not come up within a minute.
    pub async fn start() -> Self {
        Self::start_with(&RedisSettings::default()).await
    }

    /// A Cluster whose servers have these settings.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn start_with(settings: &RedisSettings) -> Self {
        Self::start_with_replicas(settings, 1).await
    }

    /// A Cluster whose masters have more than one replica each.
    ///
    /// # Panics
    ///
    /// As [`start`](Self::start).
    pub async fn start_with_replicas(settings: &RedisSettings, replicas: usize) -> Self {
        let settings = settings.clone().cluster().set("cluster-node-timeout", &["2000"]);
        let settings = settings.set("repl-diskless-sync-delay", &["0"]);
        let mut servers = Vec::new();
        for _ in 0..=replicas {
            let one = || Redis::start(settings.clone());
            servers.extend(<[_; MASTERS]>::from(tokio::join!(one(), one(), one())));
        }
        let cluster = Self { servers };
        cluster.found().await;
        cluster.settled().await;
        cluster
    }

    async fn found(&self) {
        for (number, master) in self.servers[..MASTERS].iter().enumerate() {
            let (first, last) = (SLOTS * number / MASTERS, SLOTS * (number + 1) / MASTERS - 1);
            ok(master, &["CLUSTER", "ADDSLOTSRANGE", &first.to_string(), &last.to_string()]).await;
        }
        for (number, server) in self.servers.iter().enumerate() {
            ok(server, &["CLUSTER", "SET-CONFIG-EPOCH", &(number + 1).to_string()]).await;
        }
        let port = self.servers[0].port().to_string();
        for server in &self.servers[1..] {
            ok(server, &["CLUSTER", "MEET", "127.0.0.1", &port]).await;
        }
        self.until("everybody knows everybody", async |server| {
            let lines = lines(server).await;
            lines.len() == self.servers.len() && lines.iter().all(|line| line.port != 0)
        })
        .await;
        let masters = self.servers[..MASTERS].iter().cycle();
        for (master, replica) in masters.zip(&self.servers[MASTERS..]) {
            let id = master.cli(&["CLUSTER", "MYID"]).await;
            ok(replica, &["CLUSTER", "REPLICATE", &id]).await;
        }
    }

    /// Waits until every server that runs sees all slots served by masters that run, and every replica that runs has
    /// caught up.
    ///
    /// # Panics
    ///
    /// Where that takes longer than a minute.
    pub async fn settled(&self) {
        self.until("the cluster is whole", async |server| self.sees_it_whole(server).await).await;
    }

    /// Which of the servers is the master of a key's slot.
    ///
    /// # Panics
    ///
    /// Where no server knows.
    pub async fn master_of(&self, key: &str) -> usize {
        let slot = self.slot_of(key).await;
        let lines = lines(self.any()).await;
        let has = |line: &&Line| line.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot));
        self.position(lines.iter().filter(|line| line.master).find(has).expect("a master has the slot").port)
    }

    /// One of the replicas of a master that run: waits until every server knows of one.
    ///
    /// # Panics
    ///
    /// Where that takes longer than a minute.
    pub async fn replica_of(&self, master: usize) -> usize {
        self.until("everybody knows of a replica", async |server| {
            self.a_replica(server, master).await.is_some()
        })
        .await;
        self.a_replica(self.any(), master).await.expect("the master has a replica")
    }

    async fn a_replica(&self, asked: &Redis, master: usize) -> Option<usize> {
        let lines = lines(asked).await;
        let id = self.id_of(&lines, master);
        let mut replicas = lines.iter().filter(|line| line.of == id).map(|line| self.position(line.port));
        replicas.find(|replica| self.servers[*replica].serves())
    }

    /// The slots of a server, from the first to the last of each range; none of a replica.
    ///
    /// # Panics
    ///
    /// Where no server answers.
    pub async fn slots_of(&self, server: usize) -> Vec<(usize, usize)> {
        let port = self.servers[server].port();
        let mut lines = lines(self.any()).await.into_iter();
        lines.find(|line| line.port == port).map(|line| line.slots).unwrap_or_default()
    }

    /// The slot of a key.
    ///
    /// # Panics
    ///
    /// Where no server answers.
    pub async fn slot_of(&self, key: &str) -> usize {
        self.any().cli(&["CLUSTER", "KEYSLOT", key]).await.parse().unwrap()
    }

    /// Begins an orderly failover of a master to one of its replicas.
    ///
    /// # Panics
    ///
    /// Where the replica refuses.
    pub async fn fail_over(&self, master: usize) {
        ok(&self.servers[self.replica_of(master).await], &["CLUSTER", "FAILOVER"]).await;
    }

    /// Moves a slot with its keys to another master, while both serve.
    ///
    /// # Panics
    ///
    /// Where a server refuses.
    pub async fn migrate(&self, slot: usize, to: usize) {
        let lines = lines(self.any()).await;
        let has = |line: &&Line| line.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot));
        let source = lines.iter().find(has).expect("a master has the slot");
        let (from, to) = (&self.servers[self.position(source.port)], &self.servers[to]);
        let target = self.id_of(&lines, self.position(to.port()));
        let slot = slot.to_string();
        ok(to, &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &source.id]).await;
        ok(from, &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &target]).await;
        self.move_keys(from, to, &slot).await;
        ok(to, &["CLUSTER", "SETSLOT", &slot, "NODE", &target]).await;
        ok(from, &["CLUSTER", "SETSLOT", &slot, "NODE", &target]).await;
    }

    /// From now on servers that do not answer are waited for.
    ///
    /// # Panics
    ///
    /// Where a server refuses.
    pub async fn take_nobody_for_dead(&self) {
        for server in &self.servers {
            assert_eq!(server.cli(&["CONFIG", "SET", "cluster-node-timeout", "600000"]).await, "OK");
        }
    }

    /// The URL of the Cluster.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<_> = self.servers.iter().map(|server| server.address().to_string()).collect();
        let scheme = if self.servers[0].speaks_tls() { "rediss" } else { "redis" };
        format!("{scheme}+cluster://{}", hosts.join(","))
    }

    async fn move_keys(&self, from: &Redis, to: &Redis, slot: &str) {
        loop {
            let keys = from.cli(&["CLUSTER", "GETKEYSINSLOT", slot, "10"]).await;
            if keys.is_empty() {
                return;
            }
            let port = to.port().to_string();
            let mut command = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "10000", "KEYS"];
            command.extend(keys.lines());
            let moved = from.cli(&command).await;
            assert!(["OK", "NOKEY"].contains(&moved.as_str()), "{moved}");
        }
    }

    /// A server that runs.
    fn any(&self) -> &Redis {
        self.servers.iter().find(|server| server.serves()).expect("a server serves")
    }

    fn position(&self, port: u16) -> usize {
        self.servers.iter().position(|server| server.port() == port).expect("a server of the cluster")
    }

    fn id_of(&self, lines: &[Line], server: usize) -> String {
        let port = self.servers[server].port();
        lines.iter().find(|line| line.port == port).expect("the server is known").id.clone()
    }

    async fn sees_it_whole(&self, server: &Redis) -> bool {
        if !server.cli(&["CLUSTER", "INFO"]).await.contains("cluster_state:ok") {
            return false;
        }
        let replica = server.info("role").await == "slave";
        if replica && server.info("master_link_status").await != "up" {
            return false;
        }
        let lines = lines(server).await;
        let serving = |line: &&Line| self.servers[self.position(line.port)].serves() && !line.failing;
        let masters: Vec<_> = lines.iter().filter(serving).filter(|line| line.master).collect();
        let slots: usize =
            masters.iter().flat_map(|line| &line.slots).map(|(first, last)| last - first + 1).sum();
        let running = self.servers.iter().filter(|server| server.serves()).count();
        masters.len() == MASTERS && slots == SLOTS && lines.iter().filter(serving).count() == running
    }

    async fn until(&self, what: &str, holds: impl AsyncFn(&Redis) -> bool) {
        let all = timeout(PATIENCE, async {
            for server in self.servers.iter().filter(|server| server.serves()) {
                while !holds(server).await {
                    sleep(BETWEEN_LOOKS).await;
                }
            }
        });
        all.await.unwrap_or_else(|_| panic!("it does not come to pass that {what}"));
    }
}

async fn ok(server: &Redis, command: &[&str]) {
    let answer = server.cli(command).await;
    assert_eq!(answer, "OK", "{command:?}");
}

async fn lines(server: &Redis) -> Vec<Line> {
    server.cli(&["CLUSTER", "NODES"]).await.lines().filter_map(line).collect()
}

/// `id host:port@bus,name flags master ping pong epoch state slot…`
fn line(text: &str) -> Option<Line> {
    let words: Vec<_> = text.split_whitespace().collect();
    let [id, address, flags, of, _, _, _, _, slots @ ..] = words.as_slice() else { return None };
    let (_, port) = address.split('@').next()?.rsplit_once(':')?;
    let flag = |name| flags.split(',').any(|flag| flag == name);
    Some(Line {
        id: (*id).to_owned(),
        port: port.parse().ok()?,
        master: flag("master"),
        failing: flag("fail") || flag("fail?") || flag("handshake") || flag("noaddr"),
        of: (*of).to_owned(),
        slots: slots.iter().filter_map(|range| slots_of(range)).collect(),
    })
}

/// `5`, or `5-9`; a slot on the move, `[5->-…]`, is none.
fn slots_of(range: &str) -> Option<(usize, usize)> {
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    Some((first.parse().ok()?, last.parse().ok()?))
}
