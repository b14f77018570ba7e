//! What waits to be sent to one peer, and the link that takes it while one is up.
//!
//! **Invariant.** It holds no more frames and no more bytes than its bounds, and whoever adds to it never waits: what does
//! not fit empties it, and takes the link down if there is one.

use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::WriteHalf;
use tokio::sync::Notify;

use super::counts::Counters;
use super::frame::{self, Kind};
use super::stream::Stream;
use super::writer::{Writer, Wrote};

/// Bytes that go to the system together, unless a single frame is larger.
const BATCH: usize = 64 << 10;

#[derive(Debug)]
pub(super) struct Queue {
    state: Mutex<State>,
    /// While a link is up. It is locked before the state.
    writer: Mutex<Option<Writer>>,
    /// Whether the other side took a part of something since it was last asked.
    moved: AtomicBool,
    changed: Notify,
    frames: usize,
    bytes: usize,
}

/// A link that is up.
#[derive(Debug)]
pub(super) struct Up<'a>(&'a Queue);

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<(Kind, Bytes)>,
    bytes: usize,
    overflowed: bool,
}

impl Queue {
    pub(super) fn new(frames: usize, bytes: usize) -> Self {
        let (state, writer, moved) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        Self { state, writer, moved, changed: Notify::new(), frames, bytes }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn writer(&self) -> MutexGuard<'_, Option<Writer>> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a frame, to be [written](Self::write_now). Where there is no room for it, everything is thrown away and the number
    /// of messages thrown away, this one included, is the error.
    pub(super) fn push(&self, kind: Kind, payload: Bytes) -> Result<(), usize> {
        let mut state = self.state();
        state.bytes += frame::BEFORE + payload.len();
        state.waiting.push_back((kind, payload));
        let fits = state.waiting.len() <= self.frames && state.bytes <= self.bytes;
        let thrown = if fits { Ok(()) } else { Err(state.clear()) };
        state.overflowed |= !fits;
        drop(state);
        if !fits {
            self.changed.notify_waiters();
        }
        thrown
    }

    /// Writes what waits, as far as that goes at once; the task of the link goes on from there. To wake it for each frame would
    /// take longer than to write the frame.
    pub(super) fn write_now(&self, counters: &Counters) {
        let wrote = match self.writer.try_lock() {
            Ok(mut writer) => writer
                .as_mut()
                .map(|writer| writer.write_now(|batch| self.state().encode(batch), &self.moved, counters)),
            // Somebody is at it, who may have looked for more already.
            Err(_) => None,
        };
        match wrote {
            Some(Wrote::Waits) => {}
            Some(Wrote::Batch) if self.is_empty() => {}
            _ => self.changed.notify_waiters(),
        }
    }

    /// Adds a ping before all that waits: how much that is must not make the other side look silent.
    pub(super) fn ping(&self) {
        let mut state = self.state();
        if state.waiting.front().is_none_or(|(kind, _)| *kind != Kind::Ping) {
            state.bytes += frame::BEFORE;
            state.waiting.push_front((Kind::Ping, Bytes::new()));
        }
    }

    /// Writes what comes, until that fails.
    pub(super) async fn write_on(&self, counters: &Counters) -> io::Error {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change comes in between.
            changed.as_mut().enable();
            let written = poll_fn(|context| match self.writer().as_mut() {
                Some(writer) => {
                    writer.poll_all(context, |batch| self.state().encode(batch), &self.moved, counters)
                }
                None => Err(io::ErrorKind::NotConnected.into()).into(),
            });
            if let Err(error) = written.await {
                return error;
            }
            changed.await;
        }
    }

    /// Whether the other side took a part of something since this was last asked.
    pub(super) fn moved(&self) -> bool {
        self.moved.swap(false, Ordering::Relaxed)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.state().waiting.is_empty()
    }

    /// Throws away what waits, and says how many messages that were.
    pub(super) fn clear(&self) -> usize {
        self.state().clear()
    }

    /// Waits until there is something to send, for so long.
    pub(super) async fn is_wanted(&self, patience: Duration) -> bool {
        let wanted = self.until(|state| (!state.waiting.is_empty()).then_some(()));
        tokio::time::timeout(patience, wanted).await.is_ok()
    }

    /// A link is up for as long as the answer lives: it takes what waits, and from here on an overflow takes it down.
    pub(super) fn begin(&self, stream: WriteHalf<Stream>) -> Up<'_> {
        self.state().overflowed = false;
        self.moved();
        *self.writer() = Some(Writer::new(stream));
        Up(self)
    }

    /// Waits for an overflow.
    pub(super) async fn overflow(&self) {
        self.until(|state| state.overflowed.then_some(())).await;
    }

    async fn until<T>(&self, mut ready: impl FnMut(&mut State) -> Option<T>) -> T {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            // Registered before the look, so that no change comes in between.
            changed.as_mut().enable();
            if let Some(value) = ready(&mut self.state()) {
                return value;
            }
            changed.await;
        }
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        *self.0.writer() = None;
    }
}

impl State {
    fn clear(&mut self) -> usize {
        self.bytes = 0;
        self.waiting.drain(..).filter(|(kind, _)| *kind == Kind::Message).count()
    }

    /// Encodes as many as go together. Answers how many of them are not pings.
    fn encode(&mut self, batch: &mut BytesMut) -> usize {
        let mut counted = 0;
        while let Some((kind, payload)) = self.waiting.pop_front() {
            self.bytes -= frame::BEFORE + payload.len();
            frame::encode(kind, &payload, batch);
            counted += usize::from(kind != Kind::Ping);
            let next = self.waiting.front().map_or(0, |(_, payload)| payload.len());
            if batch.len() + next >= BATCH {
                break;
            }
        }
        counted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(bytes: usize) -> Bytes {
        Bytes::from(vec![7; bytes])
    }

    #[test]
    fn a_ping_goes_before_what_waits_and_there_is_one_at_the_most() {
        let (queue, mut batch) = (Queue::new(10, 1_000), BytesMut::new());
        queue.push(Kind::Message, message(1)).unwrap();
        queue.ping();
        queue.ping();
        assert_eq!(queue.state().encode(&mut batch), 1);
        let mut kinds =
            std::iter::from_fn(|| frame::decode(&mut batch, 100).unwrap().map(|frame| frame.kind));
        assert_eq!([kinds.next(), kinds.next(), kinds.next()], [Some(Kind::Ping), Some(Kind::Message), None]);
        assert_eq!(queue.state().bytes, 0);
    }

    #[test]
    fn what_waits_goes_together_in_order() {
        let (queue, mut batch) = (Queue::new(10, 1_000), BytesMut::new());
        for payload in [&b"one"[..], b"two", b"three"] {
            queue.push(Kind::Message, Bytes::copy_from_slice(payload)).unwrap();
        }
        assert_eq!(queue.state().encode(&mut batch), 3);
        let next = |batch: &mut BytesMut| frame::decode(batch, 100).unwrap().map(|frame| frame.payload);
        assert_eq!(
            [next(&mut batch), next(&mut batch), next(&mut batch)],
            [Some(Bytes::from("one")), Some(Bytes::from("two")), Some(Bytes::from("three"))]
        );
        assert!(batch.is_empty() && queue.is_empty());
    }

    #[test]
    fn a_batch_ends_at_its_bound_and_takes_one_frame_at_least() {
        let (queue, mut batch) = (Queue::new(10, 1 << 20), BytesMut::new());
        for size in [BATCH * 2, BATCH / 2, BATCH / 2] {
            queue.push(Kind::Message, message(size)).unwrap();
        }
        for _ in 0..3 {
            assert_eq!(queue.state().encode(&mut batch), 1);
            batch.clear();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_full_queue_is_emptied_and_takes_its_link_down() {
        for (frames, bytes, size) in [(3, 1_000, 1), (100, 3 * (frame::BEFORE + 50), 50)] {
            let queue = Queue::new(frames, bytes);
            for _ in 0..3 {
                queue.push(Kind::Message, message(size)).unwrap();
            }
            let patience = Duration::from_secs(1);
            assert!(tokio::time::timeout(patience, queue.overflow()).await.is_err());
            assert_eq!(queue.push(Kind::Message, message(size)), Err(4));
            queue.overflow().await;
            assert!(queue.is_empty());
            queue.state().overflowed = false;
            assert!(tokio::time::timeout(patience, queue.overflow()).await.is_err(), "the next link is new");
            queue.push(Kind::Message, message(size)).unwrap();
        }
    }
}
