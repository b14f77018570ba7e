//! How evenly three nodes are used.

use std::sync::Arc;

use abide_harness::{Balancer, JarBrowser, Kind, Member, Node};
use http::Method;
use tokio::sync::Mutex;
use tokio::task::JoinSet;

const NODES: usize = 3;
const CLIENTS: usize = 3_000;
const REQUESTS: usize = 30_000;
const AT_ONCE: usize = 32;

type Clients = Arc<Vec<Mutex<JarBrowser>>>;

/// Runs both and prints the table.
pub(crate) async fn print(seed: u64) {
    println!(
        "{CLIENTS} clients, {REQUESTS} requests, the n-th client 1/n as often as the first, seed {seed}\n"
    );
    println!("| requests at node | a | b | c | busiest / mean |");
    println!("|---|---:|---:|---:|---:|");
    for (pinned, name) in [(true, "pinned by route marks"), (false, "not pinned")] {
        let counts = run(pinned, seed).await;
        let busiest = counts.iter().max().copied().unwrap_or_default() as f64;
        let mean = counts.iter().sum::<usize>() as f64 / NODES as f64;
        println!("| {name} | {} | {} | {} | {:.2} |", counts[0], counts[1], counts[2], busiest / mean);
    }
}

/// Requests at each node.
async fn run(pinned: bool, seed: u64) -> [usize; NODES] {
    let aliases = ["alias-a", "alias-b", "alias-c"];
    let (mut nodes, mut members) = (Vec::new(), Vec::new());
    for (n, alias) in aliases.iter().enumerate() {
        let name = n.to_string();
        let route = if pinned { "cookie" } else { "off" };
        let node =
            Node::start(&[("ABIDE_NODE", &name), ("ABIDE_ROUTE", route), ("ABIDE_ROUTE_ALIAS", alias)]).await;
        members.push(((*alias).to_owned(), node.address));
        nodes.push(node);
    }
    let members: [Member; NODES] = members.try_into().unwrap_or_else(|_| unreachable!("three nodes"));
    let balancer = Balancer::start(Kind::Haproxy, &members).await;
    // They share their connections: a client is its cookies.
    let browser = JarBrowser::new(balancer.address);
    let clients: Clients = Arc::new((0..CLIENTS).map(|_| Mutex::new(browser.clone())).collect());
    spread(&clients, seed).await
}

async fn spread(clients: &Clients, seed: u64) -> [usize; NODES] {
    let mut tasks = JoinSet::new();
    for task in 0..AT_ONCE {
        let (clients, mut random) = (clients.clone(), fastrand::Rng::with_seed(seed ^ task as u64));
        tasks.spawn(async move {
            let (mut counts, zipf) = ([0; NODES], Zipf::of(CLIENTS));
            let share = REQUESTS / AT_ONCE + usize::from(task < REQUESTS % AT_ONCE);
            for _ in 0..share {
                let mut client = clients[zipf.pick(&mut random)].lock().await;
                let known = !client.cookies.is_empty();
                let (method, path) = if known { (Method::GET, "/me") } else { (Method::POST, "/login") };
                let answer = client.send(method, path, "{\"user\":\"ada\"}").await;
                let node =
                    answer.headers.get("x-node").and_then(|name| name.to_str().ok()?.parse::<usize>().ok());
                if let Some(count) = node.and_then(|node| counts.get_mut(node)) {
                    *count += 1;
                }
            }
            counts
        });
    }
    let mut sums = [0; NODES];
    while let Some(counts) = tasks.join_next().await {
        let counts = counts.expect("no task panics");
        for (sum, count) in sums.iter_mut().zip(counts) {
            *sum += count;
        }
    }
    sums
}

/// Picks the n-th of some with a weight of 1/n.
struct Zipf(Vec<f64>);

impl Zipf {
    fn of(count: usize) -> Self {
        let mut sum = 0.0;
        let weights = (1..=count).map(|n| {
            sum += 1.0 / n as f64;
            sum
        });
        Self(weights.collect())
    }

    fn pick(&self, random: &mut fastrand::Rng) -> usize {
        let whole = self.0.last().copied().unwrap_or_default();
        let point = random.f64() * whole;
        self.0.partition_point(|sum| *sum < point).min(self.0.len() - 1)
    }
}
