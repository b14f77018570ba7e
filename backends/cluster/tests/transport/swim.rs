//! Verdicts, in simulated time: nodes on a network that loses packets, is cut, and whose processes are paused.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use abide_cluster::protocol::{Member, NodeId};
use abide_cluster::transport::{Swim, Verdict};
use abide_harness::seed;
use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::{Rng as _, SeedableRng as _};

use crate::node::member;

const STEP: Duration = Duration::from_millis(10);
const SECOND: Duration = Duration::from_secs(1);

fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let first = seed();
    (0..count).map(move |n| first.wrapping_add(n))
}

struct World {
    now: Duration,
    nodes: BTreeMap<u16, (Member, Swim)>,
    paused: BTreeSet<u16>,
    /// Which side of a cut somebody is on.
    side: BTreeMap<u16, u8>,
    loss: f64,
    on_their_way: Vec<(u16, u16, Bytes)>,
    linked: BTreeSet<(u16, u16)>,
    told: Vec<(Duration, u16, Verdict)>,
    random: SmallRng,
}

impl World {
    /// Nodes at the ports from one on, who all know the first one.
    fn new(nodes: u16, seed: u64) -> Self {
        let mut world = Self {
            now: Duration::ZERO,
            nodes: BTreeMap::new(),
            paused: BTreeSet::new(),
            side: BTreeMap::new(),
            loss: 0.0,
            on_their_way: Vec::new(),
            linked: BTreeSet::new(),
            told: Vec::new(),
            random: SmallRng::seed_from_u64(seed),
        };
        (1..=nodes).for_each(|port| world.start(u64::from(port), port));
        world
    }

    fn start(&mut self, id: u64, port: u16) {
        let me = member(id, port);
        self.nodes.insert(port, (me, Swim::new(me, SECOND, self.random.random())));
    }

    fn found(nodes: u16, seed: u64) -> Self {
        let mut world = Self::new(nodes, seed);
        world.run(10 * SECOND);
        for port in 1..=nodes {
            assert_eq!(world.alive(port), usize::from(nodes) - 1, "of {port}");
        }
        world.told.clear();
        world
    }

    fn alive(&self, port: u16) -> usize {
        self.nodes[&port].1.membership().alive.len()
    }

    fn suspects(&self) -> BTreeSet<NodeId> {
        let running = self.nodes.iter().filter(|(port, _)| !self.paused.contains(port));
        running.flat_map(|(_, (_, swim))| swim.membership().suspects).collect()
    }

    fn down(&self, of: u16) -> Vec<(Duration, u16)> {
        let of = NodeId(u64::from(of));
        let is = |verdict: &Verdict| matches!(verdict, Verdict::Down(member) if member.id == of);
        self.told.iter().filter(|(_, _, verdict)| is(verdict)).map(|(at, by, _)| (*at, *by)).collect()
    }

    fn reaches(&self, from: u16, to: u16) -> bool {
        self.nodes.contains_key(&to) && self.side.get(&from) == self.side.get(&to)
    }

    fn run(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// How long it took.
    fn run_until(&mut self, time: Duration, mut done: impl FnMut(&Self) -> bool) -> Option<Duration> {
        let began = self.now;
        while self.now < began + time {
            if done(self) {
                return Some(self.now - began);
            }
            self.step();
        }
        None
    }

    fn step(&mut self) {
        self.now += STEP;
        self.keep_links();
        let (arriving, held) = std::mem::take(&mut self.on_their_way)
            .into_iter()
            .partition::<Vec<_>, _>(|(_, to, _)| !self.paused.contains(to));
        self.on_their_way = held;
        for (_, to, packet) in arriving {
            if let Some((_, swim)) = self.nodes.get_mut(&to) {
                swim.on_packet(self.now, &packet);
                self.collect(to);
            }
        }
        let running: Vec<u16> =
            self.nodes.keys().copied().filter(|port| !self.paused.contains(port)).collect();
        for port in running {
            let now = self.now;
            let (_, swim) = self.nodes.get_mut(&port).unwrap();
            if swim.next() <= now {
                swim.tick(now);
            }
            self.collect(port);
        }
    }

    /// Everybody is linked to whoever it reaches and knows: the first one, and those that it sent to.
    fn keep_links(&mut self) {
        let broken: Vec<_> =
            self.linked.iter().copied().filter(|(from, to)| !self.reaches(*from, *to)).collect();
        for (from, to) in broken {
            self.linked.remove(&(from, to));
            if let Some((_, swim)) = self.nodes.get_mut(&from) {
                swim.on_link_lost(member(u64::from(to), to));
            }
        }
        for from in self.nodes.keys().copied().filter(|from| *from != 1).collect::<Vec<_>>() {
            self.link(from, 1);
        }
    }

    fn link(&mut self, from: u16, to: u16) {
        if self.reaches(from, to) && !self.paused.contains(&from) && self.linked.insert((from, to)) {
            let (there, now) = (self.nodes[&to].0, self.now);
            self.nodes.get_mut(&from).unwrap().1.on_link_up(now, there);
        }
    }

    fn collect(&mut self, port: u16) {
        let (_, swim) = self.nodes.get_mut(&port).unwrap();
        let (packets, verdicts) = (swim.take_packets(), swim.take_verdicts());
        self.told.extend(verdicts.into_iter().map(|verdict| (self.now, port, verdict)));
        for (to, packet) in packets {
            let lost = self.random.random_bool(self.loss);
            if self.reaches(port, to.port()) && !lost {
                self.link(port, to.port());
                self.on_their_way.push((port, to.port(), packet));
            }
        }
    }
}

#[test]
fn nodes_that_know_one_of_them_find_each_other() {
    for nodes in [2, 3, 8] {
        let mut world = World::new(nodes, seed());
        let all = usize::from(nodes) - 1;
        let took = world.run_until(20 * SECOND, |world| (1..=nodes).all(|port| world.alive(port) == all));
        println!("{nodes} nodes: {took:?}");
        assert!(took.is_some_and(|took| took < 10 * SECOND), "{nodes} nodes: {took:?}");
    }
}

#[test]
fn a_killed_node_is_down_at_all_others_within_ten_seconds_and_not_within_five() {
    for seed in seeds(20) {
        let mut world = World::found(3, seed);
        let killed = world.now;
        world.nodes.remove(&3);
        world.run(15 * SECOND);
        let down: Vec<_> = world.down(3).iter().map(|(at, by)| (*at - killed, *by)).collect();
        assert_eq!(
            down.iter().map(|(_, by)| *by).collect::<BTreeSet<_>>(),
            BTreeSet::from([1, 2]),
            "seed {seed}"
        );
        let (first, last) = (down.iter().map(|d| d.0).min(), down.iter().map(|d| d.0).max());
        assert!(first > Some(5 * SECOND) && last < Some(10 * SECOND), "seed {seed}: {down:?}");
        assert!(world.down(1).is_empty() && world.down(2).is_empty());
    }
}

#[test]
fn a_node_that_is_paused_for_five_seconds_is_suspected_and_never_down() {
    let mut suspected = 0;
    for seed in seeds(20) {
        let mut world = World::found(3, seed);
        world.paused.insert(2);
        let until = world.now + 5 * SECOND;
        suspected += usize::from(world.run_until(5 * SECOND, |world| !world.suspects().is_empty()).is_some());
        world.run(until - world.now);
        world.paused.clear();
        world.run(20 * SECOND);
        assert!(world.down(2).is_empty(), "seed {seed}: {:?}", world.told);
        assert!(world.suspects().is_empty(), "seed {seed}");
    }
    assert_eq!(suspected, 20);
}

#[test]
fn a_node_that_was_paused_for_longer_is_down_and_up_again() {
    let mut world = World::found(3, seed());
    world.paused.insert(2);
    world.run(15 * SECOND);
    assert_eq!(world.down(2).len(), 2);
    world.paused.clear();
    let back = world.run_until(20 * SECOND, |world| (1..=3).all(|port| world.alive(port) == 2));
    println!("back after {back:?}");
    assert!(back.is_some_and(|back| back < 5 * SECOND), "{back:?}");
    let ups = world.told.iter().filter(|(_, _, verdict)| *verdict == Verdict::Up(member(2, 2)));
    assert_eq!(ups.map(|(_, by, _)| *by).collect::<BTreeSet<_>>(), BTreeSet::from([1, 3]));
}

#[test]
fn a_packet_in_a_hundred_that_is_lost_makes_nobody_down() {
    for seed in seeds(20) {
        let mut world = World::found(3, seed);
        world.loss = 0.01;
        world.run(600 * SECOND);
        assert!(world.told.is_empty(), "seed {seed}: {:?}", world.told);
    }
}

#[test]
fn who_was_cut_off_is_found_again_within_seconds_also_where_everybody_was_alone() {
    for seed in seeds(10) {
        for sides in [[1, 1, 2], [2, 1, 1], [1, 2, 3]] {
            let mut world = World::found(3, seed);
            world.side = (1..=3).zip(sides).collect();
            world.run(60 * SECOND);
            world.side.clear();
            let healed = world.run_until(60 * SECOND, |world| (1..=3).all(|port| world.alive(port) == 2));
            println!("seed {seed}, {sides:?}: {healed:?}");
            assert!(healed.is_some_and(|healed| healed < 5 * SECOND), "seed {seed}, {sides:?}: {healed:?}");
        }
    }
}

#[test]
fn a_node_that_is_alone_asks_again_and_again() {
    let mut world = World::new(2, seed());
    world.loss = 1.0;
    world.run(30 * SECOND);
    world.loss = 0.0;
    let found = world.run_until(20 * SECOND, |world| [1, 2].iter().all(|port| world.alive(*port) == 1));
    assert!(found.is_some_and(|found| found < 3 * SECOND), "{found:?}");
}

#[test]
fn a_member_that_was_never_heard_of_is_told_as_down_and_one_that_is_down_is_told_again() {
    let mut world = World::found(2, seed());
    let never = member(9, 9);
    let now = world.now;
    for (_, swim) in world.nodes.values_mut() {
        swim.watch(now, &[member(1, 1), member(2, 2), never]);
    }
    world.run(15 * SECOND);
    assert_eq!(world.down(9).len(), 2);
    assert_eq!(world.told.len(), 2, "it was up for nobody: {:?}", world.told);
    world.told.clear();
    world.nodes.get_mut(&1).unwrap().1.watch(world.now, &[never]);
    world.run(STEP);
    assert_eq!(world.down(9).len(), 1);
}

#[test]
fn a_process_that_starts_again_is_somebody_else() {
    let mut world = World::found(3, seed());
    world.nodes.remove(&3);
    world.keep_links();
    world.start(33, 3);
    world.run(20 * SECOND);
    let down: BTreeSet<_> = world.down(3).iter().map(|(_, by)| *by).collect();
    assert!(down.is_superset(&BTreeSet::from([1, 2])), "{down:?}");
    assert!(world.down(33).is_empty());
    assert_eq!([1, 2, 3].map(|port| world.alive(port)), [2, 2, 2]);
}

#[test]
fn who_leaves_is_down_at_once() {
    let mut world = World::found(3, seed());
    let now = world.now;
    world.nodes.get_mut(&3).unwrap().1.leave(now);
    world.step();
    world.run(SECOND);
    assert_eq!(world.down(3).len(), 2);
}
