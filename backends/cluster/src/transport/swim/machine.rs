//! Foca as a state machine with a clock.
//!
//! **Invariants.**
//! 1. A node that knows nobody alive asks every peer that it has a link to, again and again: foca stops its own timers
//!    then, and would stay alone for ever.
//! 2. Foca is configured for thirty members or more: what it takes for a suspicion grows with their number, and with a
//!    few it gives up on peers because of a single lost packet.
//! 3. Each member of the cluster that is not there is told as down, whether this node ever heard of it or not.

use std::collections::BTreeMap;
use std::mem;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::time::Duration;

use bytes::Bytes;
use foca::{
    Config, Foca, NoCustomBroadcast, Notification, PeriodicParams, PostcardCodec, Runtime, State, Timer,
};
use rand::SeedableRng as _;
use rand::rngs::SmallRng;

use super::Membership;
use super::peer::Peer;
use super::timers::Timers;
use crate::protocol::{Member, NodeId};

/// The number of members for which foca is configured at least.
const FEWEST: u32 = 30;
/// Bytes of a packet: it travels inside a link, so that no datagram has to hold it.
const PACKET: NonZeroUsize = NonZeroUsize::new(16 << 10).expect("not zero");
/// How long an earlier life is remembered, in probes.
const REMEMBERED: u32 = 3_600;

/// What was found out of a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Up(Member),
    /// It is not.
    Down(Member),
}

impl Verdict {
    /// Of whom.
    #[must_use]
    pub fn member(self) -> Member {
        let (Self::Up(member) | Self::Down(member)) = self;
        member
    }
}

/// The failure detector of one process, without I/O. Time is counted from its start.
pub struct Swim {
    foca: Foca<Peer, PostcardCodec, SmallRng, NoCustomBroadcast>,
    timers: Timers,
    probe: Duration,
    configured: u32,
    /// Peers that a link leads to.
    linked: BTreeMap<NodeId, Member>,
    announce_at: Duration,
    out: Out,
}

#[derive(Debug, Default)]
struct Out {
    now: Duration,
    packets: Vec<(SocketAddr, Bytes)>,
    set: Vec<(Duration, Timer<Peer>)>,
    verdicts: Vec<Verdict>,
    /// Nobody showed that it is there: this node only begins to ask.
    assumed: bool,
}

impl Runtime<Peer> for Out {
    fn notify(&mut self, notification: Notification<'_, Peer>) {
        match notification {
            Notification::MemberUp(peer) if !self.assumed => self.verdicts.push(Verdict::Up(peer.member())),
            Notification::MemberDown(peer) => self.verdicts.push(Verdict::Down(peer.member())),
            _ => {}
        }
    }

    fn send_to(&mut self, to: Peer, data: &[u8]) {
        self.packets.push((to.address, Bytes::copy_from_slice(data)));
    }

    fn submit_after(&mut self, timer: Timer<Peer>, after: Duration) {
        self.set.push((self.now + after, timer));
    }
}

impl std::fmt::Debug for Swim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swim").field("me", self.foca.identity()).finish_non_exhaustive()
    }
}

impl Swim {
    /// Of this process, with so long between two probes.
    #[must_use]
    pub fn new(me: Member, probe: Duration, seed: u64) -> Self {
        let random = SmallRng::seed_from_u64(seed);
        Self {
            foca: Foca::new(Peer::first(me), config(FEWEST, probe), random, PostcardCodec),
            timers: Timers::default(),
            probe,
            configured: FEWEST,
            linked: BTreeMap::new(),
            announce_at: Duration::ZERO,
            out: Out::default(),
        }
    }

    /// A packet came. False where it is none, or none that foca can do anything with.
    pub fn on_packet(&mut self, now: Duration, packet: &[u8]) -> bool {
        let mut out = self.begin(now);
        let is_fine = self.foca.handle_data(packet, &mut out).is_ok();
        self.end(out);
        is_fine
    }

    /// A link leads to a peer now.
    pub fn on_link_up(&mut self, now: Duration, peer: Member) {
        self.linked.insert(peer.id, peer);
        if !self.foca.iter_members().any(|member| member.id().id == peer.id) {
            self.announce_to(now, &[peer]);
        }
    }

    /// No link leads to a peer any more.
    pub fn on_link_lost(&mut self, peer: Member) {
        self.linked.remove(&peer.id);
    }

    /// These are to be watched, whether or not anybody told of them yet.
    pub fn watch(&mut self, now: Duration, members: &[Member]) {
        let me = self.foca.identity().id;
        let known: BTreeMap<NodeId, State> =
            self.foca.iter_membership_state().map(|member| (member.id().id, member.state())).collect();
        let others = || members.iter().copied().filter(|member| member.id != me);
        let unheard = others().filter(|member| !known.contains_key(&member.id));
        let unheard: Vec<_> = unheard.map(|member| foca::Member::alive(Peer::first(member))).collect();
        let mut out = self.begin(now);
        out.assumed = true;
        // It fails for what cannot be encoded alone.
        let _ = self.foca.apply_many(unheard.into_iter(), false, &mut out);
        out.assumed = false;
        let down = others().filter(|member| known.get(&member.id) == Some(&State::Down));
        out.verdicts.extend(down.map(Verdict::Down));
        self.end(out);
    }

    /// This process ends.
    pub fn leave(&mut self, now: Duration) {
        let mut out = self.begin(now);
        let _ = self.foca.leave_cluster(&mut out);
        self.end(out);
    }

    /// Time passed.
    pub fn tick(&mut self, now: Duration) {
        while let Some(timer) = self.timers.due(now) {
            let mut out = self.begin(now);
            // What fails is a probe that came too late, and the next one is on its way.
            let _ = self.foca.handle_timer(timer, &mut out);
            self.end(out);
        }
        if now >= self.announce_at {
            self.announce_at = now + self.probe;
            if self.is_alone() {
                let linked: Vec<_> = self.linked.values().copied().collect();
                self.announce_to(now, &linked);
            }
        }
    }

    /// When [`tick`](Self::tick) is due.
    #[must_use]
    pub fn next(&self) -> Duration {
        self.timers.next().map_or(self.announce_at, |timer| timer.min(self.announce_at))
    }

    /// Whether it knows nobody alive.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.foca.num_members() == 0
    }

    /// What it holds of the others.
    #[must_use]
    pub fn membership(&self) -> Membership {
        let ids = |suspects: bool| {
            let members = self.foca.iter_members();
            let chosen = members.filter(|member| !suspects || member.state() == State::Suspect);
            let mut ids: Vec<_> = chosen.map(|member| member.id().id).collect();
            ids.sort_unstable();
            ids
        };
        Membership { alive: ids(false), suspects: ids(true) }
    }

    /// Packets to be sent, since this was last asked.
    pub fn take_packets(&mut self) -> Vec<(SocketAddr, Bytes)> {
        mem::take(&mut self.out.packets)
    }

    /// Verdicts, since this was last asked.
    pub fn take_verdicts(&mut self) -> Vec<Verdict> {
        mem::take(&mut self.out.verdicts)
    }

    fn announce_to(&mut self, now: Duration, peers: &[Member]) {
        let mut out = self.begin(now);
        for peer in peers {
            let _ = self.foca.announce(Peer::first(*peer), &mut out);
        }
        self.end(out);
    }

    fn begin(&mut self, now: Duration) -> Out {
        Out { now, ..mem::take(&mut self.out) }
    }

    fn end(&mut self, mut out: Out) {
        for (at, timer) in out.set.drain(..) {
            self.timers.set(at, timer);
        }
        self.out = out;
        self.fit();
    }

    /// Configures foca for as many members as there are.
    fn fit(&mut self) {
        let members = u32::try_from(self.foca.num_members() + 1).unwrap_or(u32::MAX).max(FEWEST);
        if members != self.configured {
            self.configured = members;
            let fits = self.foca.set_config(config(members, self.probe));
            debug_assert!(fits.is_ok(), "times of probes stay as they are");
        }
    }
}

/// Foca's own for a local network, stretched to the time between two probes.
fn config(members: u32, probe: Duration) -> Config {
    let lan = Config::new_lan(NonZeroU32::new(members.max(FEWEST)).expect("thirty or more"));
    let stretch = probe.as_secs_f64() / lan.probe_period.as_secs_f64();
    let often = |frequency: Duration, members: usize| {
        let num_members = NonZeroUsize::new(members).expect("one or more");
        Some(PeriodicParams { frequency: frequency.mul_f64(stretch), num_members })
    };
    Config {
        probe_period: probe,
        probe_rtt: lan.probe_rtt.mul_f64(stretch),
        suspect_to_down_after: lan.suspect_to_down_after.mul_f64(stretch),
        remove_down_after: probe * REMEMBERED,
        max_packet_size: PACKET,
        periodic_announce: often(Duration::from_secs(10), 1),
        // A cluster that was cut in two is to be one again within seconds.
        periodic_announce_to_down_members: often(Duration::from_secs(2), 3),
        periodic_gossip: often(Duration::from_millis(200), 3),
        ..lan
    }
}
