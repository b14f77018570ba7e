//! The side that others connect to.
//!
//! **Invariants.**
//! 1. Whoever connects costs a place at the [door](super::door) and some kilobytes until it showed in time that it belongs
//!    to the cluster, and nothing else waits for it until then.
//! 2. A process has one link to this one: a newer one replaces it.
//! 3. What came in is taken before more is read, so that memory is bounded. What came together is taken together.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::counts::{Gauge, Refusal, count};
use super::door::{Door, Place};
use super::event::{Event, Received};
use super::frame::{Frame, Kind};
use super::greeting::answer;
use super::lanes::Lanes;
use super::shared::Shared;
use super::stream::{End, Frames, Stream, send};
use super::swim;
use crate::protocol::{Member, NodeId};

/// After an error of the listener, such as no free file descriptor.
const PAUSE: Duration = Duration::from_millis(50);
/// How many messages are taken at once.
const BATCH: usize = 64;
/// A link from a peer is closed when nothing came for so many times the silence after which the peer itself gives it up.
const PATIENCE: u32 = 5;

/// The links from peers.
#[derive(Debug, Default)]
pub(super) struct Incoming(Mutex<HashMap<NodeId, (u64, CancellationToken)>>);

impl Incoming {
    fn links(&self) -> MutexGuard<'_, HashMap<NodeId, (u64, CancellationToken)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces a peer's link, unless there is a newer one already: then this one is cancelled.
    fn replace(&self, id: NodeId, number: u64) -> CancellationToken {
        let (mut links, replaced) = (self.links(), CancellationToken::new());
        if links.get(&id).is_some_and(|(known, _)| *known > number) {
            replaced.cancel();
        } else if let Some((_, older)) = links.insert(id, (number, replaced.clone())) {
            older.cancel();
        }
        replaced
    }

    /// Whether it was still the peer's link.
    fn remove(&self, id: NodeId, number: u64) -> bool {
        let mut links = self.links();
        let is_current = links.get(&id).is_some_and(|(current, _)| *current == number);
        if is_current {
            links.remove(&id);
        }
        is_current
    }
}

/// Accepts until the transport stops.
pub(super) async fn accept(shared: Arc<Shared>, listener: TcpListener, lanes: Arc<Lanes>) {
    let door = Arc::new(Door::new(&shared.settings.limits));
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                shared.counters.accept_failed(&error);
                tokio::time::sleep(PAUSE).await;
                continue;
            }
        };
        match door.admit(from.ip()) {
            Some(place) => shared.spawn(come_in(shared.clone(), lanes.clone(), stream, from, place)),
            None => shared.counters.refuse(Refusal::Crowd, from),
        }
    }
}

async fn come_in(shared: Arc<Shared>, lanes: Arc<Lanes>, stream: TcpStream, from: SocketAddr, place: Place) {
    match greeted(&shared, stream, &place).await {
        Ok((frames, member)) => lanes.carry(place.number(), async move {
            linked(&shared, frames, from, member, place.number()).await;
        }),
        Err(refusal) => shared.counters.refuse(refusal, from),
    }
}

async fn greeted(
    shared: &Shared,
    stream: TcpStream,
    place: &Place,
) -> Result<(Frames<Stream>, Member), Refusal> {
    stream.set_nodelay(true).map_err(|_| Refusal::Gone)?;
    let identity = shared.identity();
    let patience = shared.settings.times.handshake;
    let greeting = timeout(patience, answer(stream, identity.as_ref(), &shared.hello));
    let greeted = tokio::select! {
        greeted = greeting => greeted.unwrap_or(Err(Refusal::Slow))?,
        () = place.evicted.cancelled() => return Err(Refusal::Crowd),
    };
    if place.is_linked() { Ok(greeted) } else { Err(Refusal::Crowd) }
}

async fn linked(shared: &Shared, frames: Frames<Stream>, from: SocketAddr, member: Member, number: u64) {
    let gauge = Gauge::up(&shared.counters.links_in);
    let replaced = shared.incoming.replace(member.id, number);
    let frames = frames.map(shared.settings.limits.frame, |stream| stream);
    let end = tokio::select! {
        end = receive(shared, frames, member) => Some(end),
        () = replaced.cancelled() => None,
    };
    drop(gauge);
    if let Some(end @ (End::Frame(_) | End::Tls)) = end {
        shared.counters.refuse(end.into(), from);
    }
    if shared.incoming.remove(member.id, number) {
        shared.tell(Event::LinkLost(member));
    }
}

async fn receive(shared: &Shared, mut frames: Frames<Stream>, member: Member) -> End {
    let patience = shared.settings.times.silence * PATIENCE;
    let mut messages = Vec::with_capacity(BATCH);
    loop {
        let frame = match frames.next(patience).await {
            Ok(frame) => frame,
            Err(end) => return end,
        };
        let asks = take_in(shared, &mut frames, frame, member, &mut messages);
        if !messages.is_empty() {
            shared.inbox.take(&mut messages);
        }
        match asks {
            Ok(false) => {}
            Ok(true) => {
                let answered = timeout(patience, send(&mut frames.stream, Kind::Pong, &[])).await;
                if !matches!(answered, Ok(Ok(()))) {
                    return End::Gone;
                }
            }
            Err(end) => return end,
        }
    }
}

/// Takes a frame, and those that came with it. Answers whether the other side asks if the link is alive.
fn take_in(
    shared: &Shared,
    frames: &mut Frames<Stream>,
    first: Frame,
    from: Member,
    messages: &mut Vec<Event>,
) -> Result<bool, End> {
    let (mut next, mut asks) = (Some(first), false);
    while let Some(frame) = next {
        match frame.kind {
            Kind::Ping => asks = true,
            Kind::Message => {
                note(shared, &frame);
                messages.push(Event::Message(Received { from, bytes: frame.payload }));
            }
            Kind::Swim => {
                note(shared, &frame);
                // Like a datagram: where there is no room, it is as good as lost on its way.
                shared.offer_swim(swim::Input::Packet(frame.payload));
            }
            Kind::Hello | Kind::Refusal | Kind::Pong => {
                return Err(End::Frame(super::frame::FrameError::Malformed));
            }
        }
        next = if messages.len() < BATCH { frames.ready()? } else { None };
    }
    Ok(asks)
}

fn note(shared: &Shared, frame: &Frame) {
    count(&shared.counters.frames_in, 1);
    count(&shared.counters.bytes_in, frame.payload.len());
}
