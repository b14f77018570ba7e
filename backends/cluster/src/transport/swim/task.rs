//! The failure detector on real links and time.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::machine::{Swim, Verdict};
use super::{Input, Membership};
use crate::protocol::Member;
use crate::transport::counts::count;
use crate::transport::event::Event;
use crate::transport::frame::Kind;
use crate::transport::shared::Shared;

struct Detector {
    shared: Arc<Shared>,
    swim: Swim,
    began: Instant,
    /// Who is to be found while nobody is alive, beside the seeds.
    watched: Vec<Member>,
    look_at: Instant,
    published: watch::Sender<Membership>,
    seeds: watch::Receiver<Vec<SocketAddr>>,
}

/// Runs until the transport stops.
pub(in crate::transport) async fn drive(
    shared: Arc<Shared>,
    mut inputs: mpsc::Receiver<Input>,
    published: watch::Sender<Membership>,
    seeds: watch::Receiver<Vec<SocketAddr>>,
) {
    let began = Instant::now();
    let settings = &shared.settings;
    let swim = Swim::new(settings.me, settings.times.probe, settings.seed);
    let mut detector =
        Detector { shared, swim, began, watched: Vec::new(), look_at: began, published, seeds };
    loop {
        let next = detector.next();
        tokio::select! {
            Some(input) = inputs.recv() => detector.take(input),
            () = sleep_until(next) => detector.tick(),
        }
        detector.carry_out();
    }
}

impl From<Verdict> for Event {
    fn from(verdict: Verdict) -> Self {
        match verdict {
            Verdict::Up(member) => Self::Up(member),
            Verdict::Down(member) => Self::Down(member),
        }
    }
}

impl Detector {
    fn next(&self) -> Instant {
        self.look_at.min(self.began + self.swim.next())
    }

    fn take(&mut self, input: Input) {
        let now = self.began.elapsed();
        match input {
            Input::Packet(packet) => {
                if !self.swim.on_packet(now, &packet) {
                    count(&self.shared.counters.swim_dropped, 1);
                }
            }
            Input::LinkUp(peer) => self.swim.on_link_up(now, peer),
            Input::LinkLost(peer) => self.swim.on_link_lost(peer),
            Input::Watch(members) => {
                self.swim.watch(now, &members);
                self.watched = members;
            }
            Input::Leave => self.swim.leave(now),
        }
    }

    fn tick(&mut self) {
        self.swim.tick(self.began.elapsed());
        if Instant::now() < self.look_at {
            return;
        }
        self.look_at = Instant::now() + self.shared.settings.times.probe;
        if self.swim.is_alone() {
            let seeds: Vec<_> = self.seeds.borrow().clone();
            let watched = self.watched.iter().map(|member| member.address);
            for address in seeds.into_iter().chain(watched) {
                // A ping wants a link, and says nothing.
                let _ = self.shared.send(address, Kind::Ping, Bytes::new());
            }
        }
    }

    fn carry_out(&mut self) {
        for (to, packet) in self.swim.take_packets() {
            let _ = self.shared.send(to, Kind::Swim, packet);
        }
        for verdict in self.swim.take_verdicts() {
            tracing::info!(?verdict, "cluster: failure detector");
            self.shared.tell(verdict.into());
        }
        let membership = self.swim.membership();
        self.published.send_if_modified(|before| {
            let changed = *before != membership;
            *before = membership;
            changed
        });
    }
}
