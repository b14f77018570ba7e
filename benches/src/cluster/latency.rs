//! How long a commit and a read of one client take, beside a bare request and answer of the same size.
//!
//! This process is a server of the cluster as well, and each of the others has one of its own, as in a real one; the bare
//! requests go to one of these. Everything takes its turn in short blocks, so that all of it sees the same machine.

use std::time::{Duration, Instant};

use abide_cluster::store::ClusterStore;

use super::bare::Link;
use super::process;
use super::rig::{self, Rig};
use super::server::{Order, Seen};
use crate::operations::Operations;
use crate::options::Cluster;

/// Sessions of each sort.
const SESSIONS: usize = 16;
/// Sessions to choose these from.
const CANDIDATES: u32 = 400;
/// Operations of one kind between those of others.
const BLOCK: u32 = 10;
/// Operations by which their size is found.
const SAMPLE: u32 = 400;
/// A store counts once a second.
const COUNTED: Duration = Duration::from_millis(1_200);

/// What was measured of one operation.
pub(crate) struct Times {
    /// How many servers there were.
    pub(crate) servers: usize,
    /// Its name in the report.
    pub(crate) name: &'static str,
    /// Bytes of a request to a peer, and of its answer.
    pub(crate) bytes: [usize; 2],
    /// Microseconds of each.
    pub(crate) micros: Vec<f64>,
    /// Microseconds of each bare request.
    pub(crate) bare: Vec<f64>,
}

#[derive(Clone, Copy)]
struct Way {
    name: &'static str,
    /// Whether this server is to be one of those that keep the session.
    keeps: bool,
    is_read: bool,
}

const AT_AN_OWNER: [Way; 2] = [
    Way { name: "commit, at an owner", keeps: true, is_read: false },
    Way { name: "read, at an owner", keeps: true, is_read: true },
];
const ELSEWHERE: [Way; 2] = [
    Way { name: "commit, elsewhere", keeps: false, is_read: false },
    Way { name: "read, elsewhere", keeps: false, is_read: true },
];

/// What is measured, ready to go.
struct Subject {
    store: ClusterStore,
    operations: Operations,
    /// Places of sessions that this server keeps, and of others.
    kept: Vec<usize>,
    others: Vec<usize>,
    link: Link,
}

/// Measures with so many servers.
pub(crate) async fn measure(servers: usize, options: &Cluster) -> anyhow::Result<Vec<Times>> {
    let rig = Rig::of(servers)?;
    let (own, others) = rig.addresses().split_first().expect("there are servers");
    let store = rig::open(*own, &rig.join(), &rig.secret()).await?;
    let mut processes = process::start(&rig, others).await?;
    process::order_all(&mut processes, Order::Come { servers }).await?;
    rig::until_whole(&store, servers).await?;
    let link = Link::to(&processes[0].bare).await?;
    let mut subject = Subject::of(store, link).await?;
    let mut times = Vec::new();
    for way in subject.ways() {
        times.push(Times {
            servers,
            name: way.name,
            bytes: subject.bytes(way).await?,
            micros: Vec::new(),
            bare: Vec::new(),
        });
    }
    for _ in 0..options.latency_rounds {
        for (way, times) in subject.ways().into_iter().zip(&mut times) {
            subject.block(way, times).await?;
        }
    }
    Ok(times)
}

impl Subject {
    async fn of(store: ClusterStore, link: Link) -> anyhow::Result<Self> {
        let operations = Operations::on(CANDIDATES)?;
        let status = store.status();
        let keeps = |at: &usize| status.borrow().keeps(&operations.keys()[*at]);
        let (mut kept, mut others): (Vec<_>, Vec<_>) = (0..operations.keys().len()).partition(keeps);
        kept.truncate(SESSIONS);
        others.truncate(SESSIONS);
        for at in kept.iter().chain(&others) {
            operations.create(&store, *at).await;
        }
        Ok(Self { store, operations, kept, others, link })
    }

    /// What can be measured: with three servers every one keeps every session.
    fn ways(&self) -> Vec<Way> {
        let elsewhere = if self.others.is_empty() { &[][..] } else { &ELSEWHERE };
        [&AT_AN_OWNER, elsewhere].concat()
    }

    async fn once(&self, way: Way, number: u32) {
        let of = if way.keeps { &self.kept } else { &self.others };
        let at = of[number as usize % of.len()];
        match way.is_read {
            true => self.operations.load(&self.store, at).await,
            false => self.operations.set(&self.store, at).await,
        }
    }

    /// How large what is asked of a peer is, and its answer, by the links' own counters.
    async fn bytes(&self, way: Way) -> anyhow::Result<[usize; 2]> {
        let before = self.counted().await;
        for number in 0..SAMPLE {
            self.once(way, number).await;
        }
        let after = self.counted().await;
        let more = |name: &str| after.metric(name) - before.metric(name);
        // Each frame that went out is answered by one.
        let frames = more("sent_frames");
        Ok(["sent_bytes", "received_bytes"].map(|name| (more(name) / frames).round() as usize))
    }

    async fn counted(&self) -> Seen {
        tokio::time::sleep(COUNTED).await;
        Seen::of(&self.store)
    }

    async fn block(&mut self, way: Way, times: &mut Times) -> anyhow::Result<()> {
        for number in 0..BLOCK {
            let begun = Instant::now();
            self.once(way, number).await;
            times.micros.push(micros(begun));
        }
        let [request, answer] = times.bytes;
        for _ in 0..BLOCK {
            let begun = Instant::now();
            self.link.ask(request, answer).await?;
            times.bare.push(micros(begun));
        }
        Ok(())
    }
}

fn micros(since: Instant) -> f64 {
    since.elapsed().as_secs_f64() * 1e6
}
