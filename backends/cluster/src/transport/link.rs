//! The link to one peer: one task that connects, sends what waits where nobody else does, and connects again.
//!
//! **Invariants.**
//! 1. A link carries one direction. Whatever goes to a peer goes over the link that this side made; the other side only
//!    says that it is alive.
//! 2. What waits goes together: several questions to one peer leave in one write.
//! 3. A link is lost when the other side is silent and takes nothing: a large frame that is on its way, however slowly,
//!    keeps it up.
//! 4. What a link did not send is thrown away when it breaks or cannot be made. The protocol asks again; a message that
//!    is held up is worth less than none.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::AsyncRead;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::backoff::Backoff;
use super::counts::{Gauge, Refusal, count};
use super::event::Event;
use super::frame::Kind;
use super::greeting::{NoLink, greet};
use super::queue::Queue;
use super::shared::Shared;
use super::stream::{End, Frames, Stream};
use super::swim;
use crate::protocol::Member;

/// Why a link is down.
enum Lost {
    Shed,
    Broken,
}

/// Keeps a link to an address for as long as somebody wants it.
pub(super) async fn keep(shared: Arc<Shared>, address: SocketAddr, queue: Arc<Queue>) {
    let times = shared.settings.times;
    let mut backoff = Backoff::new(times.backoff, times.backoff_most);
    let mut random = shared.random();
    loop {
        if !queue.is_wanted(times.idle).await && shared.links.forget(address) {
            return;
        }
        match connect(&shared, address).await {
            Ok((frames, member)) => {
                let since = Instant::now();
                carry(&shared, frames, member, &queue).await;
                if since.elapsed() > times.silence {
                    backoff.reset();
                }
            }
            Err(no_link) => failed(&shared, address, no_link).await,
        }
        count(&shared.counters.unsent, queue.clear());
        tokio::time::sleep(backoff.wait(&mut random)).await;
    }
}

async fn connect(shared: &Shared, address: SocketAddr) -> Result<(Frames<Stream>, Member), NoLink> {
    let times = shared.settings.times;
    let connected = timeout(times.connect, TcpStream::connect(address)).await;
    let stream = match connected {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Err(NoLink::Refused);
        }
        Ok(Err(_)) | Err(_) => return Err(NoLink::Unanswered),
    };
    stream.set_nodelay(true).map_err(|_| NoLink::Unanswered)?;
    let identity = shared.identity();
    let greeted = timeout(times.handshake, greet(stream, identity.as_ref(), &shared.hello)).await;
    greeted.unwrap_or(Err(NoLink::Unanswered))
}

async fn failed(shared: &Shared, address: SocketAddr, no_link: NoLink) {
    match no_link {
        NoLink::Refused => return shared.tell(Event::Refused(address)),
        NoLink::Unwanted(refusal) => shared.counters.refuse(refusal, address),
        NoLink::Rejected(refusal) => shared.counters.reject(refusal, address),
        NoLink::Unanswered => {}
    }
    count(&shared.counters.failed, 1);
}

/// Sends what comes, until the link is lost.
async fn carry(shared: &Shared, frames: Frames<Stream>, member: Member, queue: &Queue) {
    let times = shared.settings.times;
    let mut writer = None;
    let reader = frames.map(0, |stream| {
        let (reader, half) = tokio::io::split(stream);
        writer = Some(half);
        reader
    });
    let up = queue.begin(writer.expect("the stream was split"));
    let gauge = Gauge::up(&shared.counters.links_out);
    shared.tell(Event::LinkUp(member));
    shared.tell_swim(swim::Input::LinkUp(member)).await;
    let lost = tokio::select! {
        _ = queue.write_on(&shared.counters) => Lost::Broken,
        lost = hear(reader, times.silence, queue) => lost,
        never = ask(shared, queue) => match never {},
        () = queue.overflow() => Lost::Shed,
    };
    drop((up, gauge));
    if matches!(lost, Lost::Shed) {
        shared.counters.refuse(Refusal::Shed, member.address);
    }
    count(&shared.counters.lost, 1);
    shared.tell_swim(swim::Input::LinkLost(member)).await;
    shared.tell(Event::LinkLost(member));
}

/// Asks again and again whether the other side is alive.
async fn ask(shared: &Shared, queue: &Queue) -> Infallible {
    let mut pings = interval_at(Instant::now(), shared.settings.times.ping);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        pings.tick().await;
        queue.ping();
        queue.write_now(&shared.counters);
    }
}

/// Hears that the other side is alive.
async fn hear<R: AsyncRead + Unpin>(mut frames: Frames<R>, silence: Duration, queue: &Queue) -> Lost {
    loop {
        match frames.next(silence).await {
            Ok(frame) if frame.kind == Kind::Pong => {}
            Err(End::Silent) if queue.moved() => {}
            Ok(_) | Err(End::Gone | End::Tls | End::Frame(_) | End::Silent) => return Lost::Broken,
        }
    }
}
