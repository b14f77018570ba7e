//! What the protocol costs on a good network: messages, bytes, memory, times.
//!
//! Each process has a link of 1 Gbit/s, a byte is 0.25 ms on its way, and computing takes no time. Bytes are those of the
//! messages; frames, TLS and the failure detector's own packets come on top. A session has one value of 512 bytes.

mod calm;
mod table;

use std::sync::Arc;
use std::time::Duration;

use abide_cluster::protocol::{Answer, NodeId, Request};
use abide_conformance::interleavings::START;
use abide_core::{
    Changes, CommitOptions, CreateOptions, Loaded, NewRecord, Record, SessionKey, Stamps, Verifier,
};

use calm::{Calm, LATENCY, Traffic};

pub use table::table;

/// The bytes of a session's value.
pub const VALUE: usize = 512;
/// What a session may take beside its value, as in the memory store.
pub const OVERHEAD: usize = 250;
/// How many operations of a kind are measured.
const OPERATIONS: usize = 200;
/// How many creations are under way at a time.
const AT_ONCE: usize = 64;
const MINUTE: Duration = Duration::from_secs(60);

/// Answers how many bytes more are in use after the work than before.
pub type Weigh = fn(&mut dyn FnMut()) -> i64;

/// What one operation costs, on the average.
#[derive(Clone, Copy, Debug, Default)]
pub struct Each {
    /// Messages between nodes.
    pub messages: f64,
    /// Their bytes.
    pub bytes: f64,
    /// How many times a message went to and fro, one after the other.
    pub trips: f64,
}

/// What a cluster of some nodes costs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Costs {
    /// How many nodes.
    pub nodes: usize,
    /// How many sessions they hold.
    pub sessions: usize,
    /// From the first process to a view with all of them.
    pub full_view: Option<Duration>,
    /// What a node sends in a second in which nobody wants anything, in bytes.
    pub idle: f64,
    /// What a node takes before there is any session, in bytes.
    pub empty: f64,
    /// What a node takes for the sessions, in bytes.
    pub memory: f64,
    /// The same as a part of what it may be: 1.2 × copies × sessions × (value + overhead) / nodes.
    pub memory_part: f64,
    /// How many sessions the fullest node keeps, as a part of the mean.
    pub fullest: f64,
    /// A load.
    pub read: Each,
    /// A set after a load.
    pub write: Each,
    /// An update after a load.
    pub update: Each,
    /// Whether a node that stood still for five seconds stayed in.
    pub pause_evicts_nobody: bool,
    /// From a crash that breaks no link until all who watch the node suspect it.
    pub suspected: Option<Duration>,
    /// From the crash until all are in a view without the node.
    pub evicted: Option<Duration>,
    /// From the beginning of a process in its place until it is ready.
    pub joined: Option<Duration>,
    /// What was sent meanwhile, in bytes.
    pub join_bytes: f64,
}

/// Measures a cluster of so many nodes.
#[must_use]
pub fn costs(nodes: usize, sessions: usize, slots: u16, weigh: Weigh) -> Costs {
    let mut costs = Costs { nodes, sessions, ..Costs::default() };
    let mut cluster = None;
    let empty = weigh(&mut || {
        let mut calm = Calm::new(nodes, slots);
        costs.full_view = calm.until(10 * MINUTE, Calm::is_whole);
        calm.pass(Duration::from_secs(5));
        cluster = Some(calm);
    });
    let Some(mut calm) = cluster else { return costs };
    costs.empty = empty as f64 / nodes as f64;
    let before = calm.traffic;
    calm.pass(MINUTE);
    costs.idle = (calm.traffic.bytes - before.bytes) as f64 / nodes as f64 / MINUTE.as_secs_f64();
    fill(&mut calm, &mut costs, slots, weigh);
    work(&mut calm, &mut costs);
    fail(&mut calm, &mut costs);
    costs
}

fn key(n: usize) -> SessionKey {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&(n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15).to_be_bytes());
    SessionKey::from_bytes(bytes)
}

fn record(stamps: &Stamps) -> Record {
    let mut new = NewRecord::new(stamps.next(START), [3; 16], Verifier::from_bytes([4; 16]), START);
    new = new
        .idle_timeout(24 * 60 * MINUTE)
        .hard_deadline(START + 48 * 60 * MINUTE)
        .value("cart", vec![7_u8; VALUE]);
    Record::create(new)
}

fn fill(calm: &mut Calm, costs: &mut Costs, slots: u16, weigh: Weigh) {
    let (sessions, nodes) = (costs.sessions, costs.nodes);
    let copies = nodes.min(3);
    let memory = weigh(&mut || {
        let stamps = Stamps::new(1);
        for first in (0..sessions).step_by(AT_ONCE) {
            let asked: Vec<_> = (first..sessions.min(first + AT_ONCE))
                .map(|n| {
                    let record = Arc::new(record(&stamps));
                    let options = CreateOptions::default();
                    calm.ask(n % nodes, Request::Create { key: key(n), record, options })
                })
                .collect();
            let created = calm.answers(&asked).into_iter().filter(Result::is_ok).count();
            assert_eq!(created, asked.len(), "every session is created");
        }
        calm.pass(Duration::from_secs(2));
    });
    costs.memory = memory as f64 / nodes as f64;
    let may_be = 1.2 * (copies * sessions * (VALUE + OVERHEAD)) as f64 / nodes as f64;
    costs.memory_part = costs.memory / may_be;
    let held = |node: &abide_cluster::protocol::Node| {
        (0..slots).map(|slot| node.slot_report(slot).cells.len()).sum::<usize>()
    };
    let fullest = calm.alive().map(held).max().unwrap_or_default();
    costs.fullest = fullest as f64 * nodes as f64 / (copies * sessions) as f64;
}

fn work(calm: &mut Calm, costs: &mut Costs) {
    let stamps = Stamps::new(2);
    for n in 0..OPERATIONS {
        let (at, key) = (calm.rng.below(costs.nodes), key(calm.rng.below(costs.sessions)));
        let loaded = measured(calm, &mut costs.read, at, Request::Load { key });
        let wall = START + calm.now;
        let changes = |loaded: &Loaded| {
            let stamp = stamps.next_after(wall, loaded.record.latest_stamp());
            Changes::new(stamp, loaded.record.era().expect("it is alive").id())
        };
        let options = CommitOptions::default();
        let mut set = changes(&loaded);
        set.set("cart", vec![8_u8; VALUE]);
        let commit = |changes| Request::Commit { key, changes: Arc::new(changes), options };
        let loaded = measured(calm, &mut costs.write, at, commit(set));
        let mut update = changes(&loaded);
        update.update(format!("visits {n}").as_str(), None, Some(vec![1; 8].into()));
        measured(calm, &mut costs.update, at, commit(update));
    }
}

/// Carries one operation out, and adds what it cost.
fn measured(calm: &mut Calm, each: &mut Each, at: usize, request: Request) -> Loaded {
    let (before, began): (Traffic, Duration) = (calm.traffic, calm.now);
    let asked = calm.ask(at, request);
    let answer = calm.answers(&[asked]).pop();
    let part = 1.0 / OPERATIONS as f64;
    each.trips += (calm.now - began).as_secs_f64() / (2 * LATENCY).as_secs_f64() * part;
    calm.pass(Duration::from_millis(5));
    each.messages += (calm.traffic.asked - before.asked) as f64 * part;
    each.bytes += (calm.traffic.asked_bytes - before.asked_bytes) as f64 * part;
    match answer {
        Some(Ok(Answer::Session(Some(loaded)))) => loaded,
        other => panic!("no session was answered: {other:?}"),
    }
}

fn number(calm: &Calm) -> u64 {
    calm.alive().filter_map(|node| node.view().map(|view| view.number)).max().unwrap_or_default()
}

fn fail(calm: &mut Calm, costs: &mut Costs) {
    let (last, before) = (costs.nodes - 1, number(calm));
    calm.pause(last, Duration::from_secs(5));
    calm.pass(Duration::from_secs(25));
    costs.pause_evicts_nobody = number(calm) == before && calm.is_whole();
    let Some(id) = calm.nodes[last].as_ref().map(abide_cluster::protocol::Node::id) else { return };
    calm.kill(last);
    let began = calm.now;
    costs.suspected = calm.until(MINUTE, |calm| calm.alive().all(|node| node.suspects().contains(&id)));
    let is_out =
        |calm: &Calm, id: NodeId| calm.alive().all(|node| node.view().is_some_and(|view| !view.has(id)));
    costs.evicted = calm.until(MINUTE, |calm| is_out(calm, id)).map(|_| calm.now - began);
    calm.until(MINUTE, Calm::is_whole);
    let sent = calm.traffic.bytes;
    calm.begin(last);
    costs.joined = calm.until(5 * MINUTE, Calm::is_whole);
    costs.join_bytes = (calm.traffic.bytes - sent) as f64;
}
