//! The link to one peer: one task that connects, sends what waits, and connects again.
//!
//! **Invariants.**
//! 1. A link carries one direction. Whatever goes to a peer goes over the link that this side made; the other side only
//!    says that it is alive.
//! 2. What waits goes together: several questions to one peer leave in one write.
//! 3. A link is lost when the other side is silent and takes nothing: a large frame that is on its way, however slowly,
//!    keeps it up.
//! 4. What a link did not send is thrown away when it breaks or cannot be made. The protocol asks again; a message that
//!    is held up is worth less than none.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use super::backoff::Backoff;
use super::counts::{Gauge, Refusal, count};
use super::event::Event;
use super::frame::{self, Kind};
use super::greeting::{NoLink, greet};
use super::queue::Queue;
use super::shared::Shared;
use super::stream::{End, Frames, Stream};
use super::swim;
use crate::protocol::Member;

/// A buffer that grew beyond this is given back.
const KEPT: usize = 1 << 20;

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
        NoLink::Refused => return shared.tell(Event::Refused(address)).await,
        NoLink::Unwanted(refusal) => shared.counters.refuse(refusal, address),
        NoLink::Rejected(refusal) => shared.counters.reject(refusal, address),
        NoLink::Unanswered => {}
    }
    count(&shared.counters.failed, 1);
}

/// Sends what comes, until the link is lost.
async fn carry(shared: &Shared, frames: Frames<Stream>, member: Member, queue: &Queue) {
    let times = shared.settings.times;
    queue.begin();
    let gauge = Gauge::up(&shared.counters.links_out);
    shared.tell(Event::LinkUp(member)).await;
    shared.tell_swim(swim::Input::LinkUp(member)).await;
    let mut writer = None;
    let reader = frames.map(0, |stream| {
        let (reader, half) = tokio::io::split(stream);
        writer = Some(half);
        reader
    });
    let writer = writer.expect("the stream was split");
    let moved = AtomicBool::new(false);
    let lost = tokio::select! {
        lost = write(shared, writer, queue, &moved) => lost,
        lost = hear(reader, times.silence, &moved) => lost,
        () = queue.overflow() => Lost::Shed,
    };
    drop(gauge);
    if matches!(lost, Lost::Shed) {
        shared.counters.refuse(Refusal::Shed, member.address);
    }
    count(&shared.counters.lost, 1);
    shared.tell_swim(swim::Input::LinkLost(member)).await;
    shared.tell(Event::LinkLost(member)).await;
}

async fn write<W: AsyncWrite + Unpin>(
    shared: &Shared,
    mut writer: W,
    queue: &Queue,
    moved: &AtomicBool,
) -> Lost {
    let mut pings = interval_at(Instant::now(), shared.settings.times.ping);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut batch = BytesMut::new();
    loop {
        let frames = tokio::select! {
            frames = queue.take(&mut batch) => frames,
            _ = pings.tick() => {
                frame::encode(Kind::Ping, &[], &mut batch);
                0
            }
        };
        let bytes = batch.len();
        if write_out(&mut writer, &mut batch, moved).await.is_err() {
            return Lost::Broken;
        }
        if frames > 0 {
            count(&shared.counters.frames_out, frames);
            count(&shared.counters.bytes_out, bytes);
            shared.counters.flushes.fetch_add(1, Ordering::Relaxed);
        }
        batch = if bytes > KEPT { BytesMut::new() } else { batch };
    }
}

/// Gives a batch to the system. Parts of it that are taken before its last one show that the other side takes something:
/// what fits into the system's own buffer shows nothing.
async fn write_out<W: AsyncWrite + Unpin>(
    writer: &mut W,
    batch: &mut BytesMut,
    moved: &AtomicBool,
) -> io::Result<()> {
    while batch.has_remaining() {
        if writer.write_buf(batch).await? == 0 {
            return Err(io::ErrorKind::WriteZero.into());
        }
        moved.fetch_or(batch.has_remaining(), Ordering::Relaxed);
    }
    writer.flush().await
}

/// Hears that the other side is alive.
async fn hear<R: AsyncRead + Unpin>(mut frames: Frames<R>, silence: Duration, moved: &AtomicBool) -> Lost {
    loop {
        match frames.next(silence).await {
            Ok(frame) if frame.kind == Kind::Pong => {}
            Err(End::Silent) if moved.swap(false, Ordering::Relaxed) => {}
            Ok(_) | Err(End::Gone | End::Tls | End::Frame(_) | End::Silent) => return Lost::Broken,
        }
    }
}
