//! A cluster of `node` processes, each at a seat that it keeps when its process is replaced.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::Duration;

use abide_core::SystemEntropy;
use abide_core::entropy::random_bytes;
use http::StatusCode;
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::browser::{Answer, Browser};
use crate::name::Name;
use crate::node::{Node, NodeExit};
use crate::ports;

/// Far longer than a node takes to get into its cluster on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
const BETWEEN_LOOKS: Duration = Duration::from_millis(20);
/// A node that hangs does not keep whoever waits for it from its deadline.
const LOOK: Duration = Duration::from_secs(2);
/// How old a figure among a node's metrics may be, and a little more: a node counts what it holds once a second.
const OLDEST_FIGURE: Duration = Duration::from_millis(1_500);

/// Where a node is, whichever process that is at the moment.
#[derive(Clone, Debug)]
pub struct Seat {
    /// Where it serves.
    pub serves: SocketAddr,
    /// Where its peers reach it.
    pub peers: SocketAddr,
    /// A command and its first arguments, which run the program that comes after them: nothing, or what puts it into a
    /// network of its own.
    pub runner: Vec<String>,
}

impl Seat {
    /// One at free ports of this machine.
    #[must_use]
    pub fn free() -> Self {
        let free = || SocketAddr::from((Ipv4Addr::LOCALHOST, ports::free()));
        Self { serves: free(), peers: free(), runner: Vec::new() }
    }
}

/// Seats, and the nodes that sit there. Dropping it kills them.
#[derive(Debug)]
pub struct Cluster {
    folder: TempDir,
    /// The addresses that every node is told.
    join: Vec<SocketAddr>,
    /// What they are told instead: a name, and how many to expect.
    name: Option<(String, usize)>,
    /// By what they are let in.
    identity: String,
    settings: Vec<(String, String)>,
    seats: Vec<Seat>,
    nodes: Vec<Option<Node>>,
    base: Browser,
}

impl Cluster {
    /// These seats, all listed where nodes look for each other, and nobody on them.
    ///
    /// # Panics
    ///
    /// Where the secret cannot be written.
    #[must_use]
    pub fn of(seats: Vec<Seat>) -> Self {
        let folder = tempfile::Builder::new().prefix("abide-cluster-").tempdir().unwrap();
        let secret = folder.path().join("secret");
        write_secret(&secret);
        let identity = format!("secret_file={}", secret.display());
        let join = seats.iter().map(|seat| seat.peers).collect();
        let base = Browser::new(seats[0].serves);
        let nodes = seats.iter().map(|_| None).collect();
        Self { folder, join, name: None, identity, settings: Vec::new(), seats, nodes, base }
    }

    /// So many free seats on this machine, all listed, and nobody on them.
    #[must_use]
    pub fn seats(count: usize) -> Self {
        Self::of((0..count).map(|_| Seat::free()).collect())
    }

    /// So many nodes, started at the same time; all are ready.
    ///
    /// # Panics
    ///
    /// Where they do not become so.
    pub async fn together(count: usize) -> Self {
        let mut cluster = Self::seats(count);
        cluster.start_all().await;
        cluster
    }

    /// Starts a node on every seat at the same time, and waits until all are ready.
    ///
    /// # Panics
    ///
    /// Where they do not become so.
    pub async fn start_all(&mut self) {
        for seat in 0..self.seats.len() {
            self.start(seat).await;
        }
        self.all_ready().await;
    }

    /// Lists one more address where nodes look for each other.
    #[must_use]
    pub fn listing(mut self, address: SocketAddr) -> Self {
        self.join.push(address);
        self
    }

    /// Has nodes look a name up instead, and expect so many.
    #[must_use]
    pub fn looking_up(mut self, name: &Name, expect: usize) -> Self {
        self.name = Some((name.join(), expect));
        self
    }

    /// Other options of the store's URL than those that name the secret.
    #[must_use]
    pub fn identified_by(mut self, options: &str) -> Self {
        options.clone_into(&mut self.identity);
        self
    }

    /// A variable for every node that is started from now on: `{seat}` in it is the seat's number, `{folder}` the
    /// cluster's folder.
    #[must_use]
    pub fn setting(mut self, name: &str, value: &str) -> Self {
        self.settings.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A file in the cluster's folder.
    #[must_use]
    pub fn path(&self, file: &str) -> String {
        let path = self.folder.path().join(file);
        path.to_str().expect("a temporary folder has a name in UTF-8").to_owned()
    }

    /// One more free seat, not listed. Answers its number.
    pub fn add_seat(&mut self) -> usize {
        self.add(Seat::free())
    }

    /// One more seat, not listed. Answers its number.
    pub fn add(&mut self, seat: Seat) -> usize {
        self.seats.push(seat);
        self.nodes.push(None);
        self.seats.len() - 1
    }

    /// Starts a node on an empty seat, until it listens; ready is another matter.
    ///
    /// # Panics
    ///
    /// Where somebody sits there, or the node does not come up.
    pub async fn start(&mut self, seat: usize) {
        assert!(self.nodes[seat].is_none(), "somebody sits on seat {seat}");
        let (store, place) = (self.store(seat), self.seats[seat].serves.to_string());
        let name = format!("node-{seat}");
        let own = [("LISTEN", place.as_str()), ("ABIDE_STORE", &store), ("ABIDE_NODE", &name)];
        let filled =
            |value: &str| value.replace("{seat}", &seat.to_string()).replace("{folder}", &self.path(""));
        let shared: Vec<_> = self.settings.iter().map(|(name, value)| (name, filled(value))).collect();
        let shared = shared.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let variables: Vec<_> = own.into_iter().chain(shared).collect();
        self.nodes[seat] = Some(Node::start_by(&self.seats[seat].runner, &variables).await);
    }

    /// The strategy of a seat's node, as a URL.
    #[must_use]
    pub fn store(&self, seat: usize) -> String {
        let listed = || self.join.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
        let join = match &self.name {
            Some((name, expect)) => format!("{name}&expect={expect}"),
            None => listed(),
        };
        format!("cluster://{}?join={join}&copies=3&{}", self.seats[seat].peers, self.identity)
    }

    /// Waits until a node is ready. Answers how long that took.
    ///
    /// # Panics
    ///
    /// Where it does not become so within a minute: with its last reason and what it said.
    pub async fn ready(&self, seat: usize) -> Duration {
        let since = Instant::now();
        loop {
            let Some(reason) = self.why_not_ready(seat).await else { return since.elapsed() };
            if since.elapsed() >= PATIENCE {
                let said = self.nodes[seat].as_ref().map(Node::said);
                let figures = self.figures().await;
                panic!("node {seat} does not become ready: {reason}; it said {said:?}\n{figures}");
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// What each node counts of its store, a line each.
    async fn figures(&self) -> String {
        let mut lines = String::new();
        for seat in self.taken() {
            lines.push_str(&format!("node {seat}: {}\n", self.told_of(seat).await.join(", ")));
        }
        lines
    }

    /// What a node counts of its store, each with its name.
    async fn told_of(&self, seat: usize) -> Vec<String> {
        let told = self.look(seat, "/metrics").await;
        let told = told.map(|answer| String::from_utf8_lossy(&answer.body).into_owned()).unwrap_or_default();
        told.lines().filter_map(|line| line.strip_prefix("abide_store_").map(str::to_owned)).collect()
    }

    /// Waits until every node is ready. Answers how long that took.
    ///
    /// # Panics
    ///
    /// As [`ready`](Self::ready).
    pub async fn all_ready(&self) -> Duration {
        let since = Instant::now();
        for seat in self.taken() {
            self.ready(seat).await;
        }
        since.elapsed()
    }

    /// Waits until every node counts those who are there as members, and nobody else, and has all its slots. Until then the copies of a
    /// node that died are missing, and one more death may be one too many; a node is ready before that.
    ///
    /// # Panics
    ///
    /// As [`ready`](Self::ready).
    pub async fn all_whole(&self) {
        let (begun, mut whole_since) = (Instant::now(), None);
        while whole_since.is_none_or(|since: Instant| since.elapsed() < OLDEST_FIGURE) {
            whole_since = match self.is_whole().await {
                true => whole_since.or_else(|| Some(Instant::now())),
                false => None,
            };
            if begun.elapsed() >= PATIENCE {
                panic!("the cluster does not become whole:\n{}", self.figures().await);
            }
            sleep(BETWEEN_LOOKS).await;
        }
    }

    /// Whether every node says so.
    async fn is_whole(&self) -> bool {
        let taken = self.taken();
        for seat in &taken {
            let told = self.told_of(*seat).await;
            let counts = |name: &str, count: usize| told.contains(&format!("{name} {count}"));
            if !(counts("members", taken.len()) && counts("suspects", 0) && counts("slots_lacking", 0)) {
                return false;
            }
        }
        true
    }

    /// Why a node is not ready, as it says itself; `None` where it is.
    pub async fn why_not_ready(&self, seat: usize) -> Option<String> {
        match self.look(seat, "/ready").await {
            Ok(answer) if answer.status == StatusCode::OK => None,
            Ok(answer) => {
                Some(format!("{} {}", answer.status, String::from_utf8_lossy(&answer.body).trim_end()))
            }
            Err(why) => Some(why),
        }
    }

    /// What a node answers at a path, or why it does not.
    async fn look(&self, seat: usize, path: &str) -> Result<Answer, String> {
        let mut browser = self.browser(seat);
        match tokio::time::timeout(LOOK, browser.try_send(http::Method::GET, path, "")).await {
            Ok(answer) => answer.map_err(|error| error.to_string()),
            Err(_) => Err("it hangs".to_owned()),
        }
    }

    /// How many seats there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.seats.len()
    }

    /// The seats on which somebody sits.
    #[must_use]
    pub fn taken(&self) -> Vec<usize> {
        (0..self.seats.len()).filter(|seat| self.nodes[*seat].is_some()).collect()
    }

    /// Where a seat's node serves.
    #[must_use]
    pub fn address(&self, seat: usize) -> SocketAddr {
        self.seats[seat].serves
    }

    /// Where all nodes serve that are there.
    #[must_use]
    pub fn addresses(&self) -> Vec<SocketAddr> {
        self.taken().into_iter().map(|seat| self.address(seat)).collect()
    }

    /// A browser without a cookie, at a node.
    #[must_use]
    pub fn browser(&self, seat: usize) -> Browser {
        self.base.at(self.address(seat))
    }

    /// A node.
    ///
    /// # Panics
    ///
    /// Where nobody sits there.
    #[must_use]
    pub fn node(&self, seat: usize) -> &Node {
        self.nodes[seat].as_ref().expect("somebody sits there")
    }

    /// Kills a node (SIGKILL), as a crash, and waits until it is gone.
    ///
    /// # Panics
    ///
    /// Where nobody sits there.
    pub async fn kill9(&mut self, seat: usize) {
        self.leaves(seat).kill().await;
    }

    /// Has a node leave in order (SIGTERM), and waits for its end.
    ///
    /// # Panics
    ///
    /// Where nobody sits there.
    pub async fn terminate(&mut self, seat: usize) -> NodeExit {
        self.leaves(seat).terminate().await
    }

    fn leaves(&mut self, seat: usize) -> Node {
        self.nodes[seat].take().expect("somebody sits there")
    }
}

/// 32 random bytes that only their owner may read.
fn write_secret(path: &Path) {
    let bytes: [u8; 32] = random_bytes(&SystemEntropy).unwrap();
    let mut line = String::new();
    bytes.iter().for_each(|byte| write!(line, "{byte:02x}").unwrap());
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.write(true).create_new(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, line.as_bytes()).unwrap();
}
