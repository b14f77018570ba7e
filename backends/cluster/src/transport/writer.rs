//! The writing end of a link.
//!
//! **Invariants.**
//! 1. Frames leave in the order in which they were queued, each once, whoever writes: the task of the link, or whoever
//!    queued them where nobody else is at it.
//! 2. Once the system takes no more, the task alone goes on: it is the one that is woken.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncWrite, WriteHalf};

use super::counts::{Counters, count};
use super::stream::Stream;

/// A buffer that grew beyond this is given back.
const KEPT: usize = 1 << 20;

/// Frames on their way into a stream.
#[derive(Debug)]
pub(super) struct Writer<S = WriteHalf<Stream>> {
    stream: S,
    batch: BytesMut,
    /// How many frames the batch had, and how many bytes.
    of: (usize, usize),
    is_flushed: bool,
    /// The task waits until the system takes more.
    waits: bool,
}

/// How far somebody came who is not the task of the link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wrote {
    /// A batch is written, or there was nothing to write.
    Batch,
    /// The task waits for the system, and goes on by itself.
    Waits,
    /// The task has to go on, or to find out that the link broke.
    Part,
}

impl<S: AsyncWrite + Unpin> Writer<S> {
    pub(super) fn new(stream: S) -> Self {
        Self { stream, batch: BytesMut::new(), of: (0, 0), is_flushed: true, waits: false }
    }

    /// Writes the next batch as far as that goes at once.
    pub(super) fn write_now(
        &mut self,
        fill: impl FnMut(&mut BytesMut) -> usize,
        moved: &AtomicBool,
        counters: &Counters,
    ) -> Wrote {
        if self.waits {
            // Whoever else asked the system would be woken in its place.
            return Wrote::Waits;
        }
        let mut context = Context::from_waker(Waker::noop());
        let wrote = self.poll_batch(&mut context, fill, moved, counters);
        if matches!(wrote, Poll::Ready(Ok(_))) { Wrote::Batch } else { Wrote::Part }
    }

    /// Writes all that there is.
    pub(super) fn poll_all(
        &mut self,
        context: &mut Context<'_>,
        mut fill: impl FnMut(&mut BytesMut) -> usize,
        moved: &AtomicBool,
        counters: &Counters,
    ) -> Poll<io::Result<()>> {
        loop {
            let polled = self.poll_batch(context, &mut fill, moved, counters);
            self.waits = polled.is_pending();
            if !ready!(polled)? {
                return Poll::Ready(Ok(()));
            }
        }
    }

    /// Writes one batch. Answers whether there was one.
    ///
    /// Parts of it that are taken before its last one show that the other side takes something: what fits into the
    /// system's own buffer shows nothing.
    fn poll_batch(
        &mut self,
        context: &mut Context<'_>,
        mut fill: impl FnMut(&mut BytesMut) -> usize,
        moved: &AtomicBool,
        counters: &Counters,
    ) -> Poll<io::Result<bool>> {
        if self.batch.is_empty() && self.is_flushed {
            let frames = fill(&mut self.batch);
            self.of = (frames, self.batch.len());
            if self.batch.is_empty() {
                return Poll::Ready(Ok(false));
            }
        }
        self.is_flushed = false;
        while self.batch.has_remaining() {
            let taken = ready!(Pin::new(&mut self.stream).poll_write(context, &self.batch))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.batch.advance(taken);
            moved.fetch_or(self.batch.has_remaining(), Ordering::Relaxed);
        }
        ready!(Pin::new(&mut self.stream).poll_flush(context))?;
        self.is_flushed = true;
        self.count(counters);
        Poll::Ready(Ok(true))
    }

    fn count(&mut self, counters: &Counters) {
        let (frames, bytes) = self.of;
        if frames > 0 {
            count(&counters.frames_out, frames);
            count(&counters.bytes_out, bytes);
            count(&counters.flushes, 1);
        }
        if bytes > KEPT {
            self.batch = BytesMut::new();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many bytes, and no more.
    #[derive(Debug, Default)]
    struct Narrow {
        taken: Vec<u8>,
        room: usize,
        asked: usize,
    }

    impl AsyncWrite for Narrow {
        fn poll_write(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.asked += 1;
            let taken = bytes.len().min(self.room);
            if taken == 0 {
                return Poll::Pending;
            }
            self.room -= taken;
            self.taken.extend_from_slice(&bytes[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Hands out one batch after the other.
    fn batches(left: &mut Vec<&'static [u8]>) -> impl FnMut(&mut BytesMut) -> usize {
        |batch| {
            let next = if left.is_empty() { None } else { Some(left.remove(0)) };
            next.map_or(0, |bytes| {
                batch.extend_from_slice(bytes);
                1
            })
        }
    }

    #[test]
    fn what_the_system_did_not_take_at_once_is_left_to_the_task_and_leaves_in_order() {
        let (moved, counters) = (AtomicBool::new(false), Counters::default());
        let mut writer = Writer::new(Narrow { room: 4, ..Narrow::default() });
        let mut left: Vec<&[u8]> = vec![b"first", b"second"];
        let write_now = |writer: &mut Writer<Narrow>, left: &mut Vec<&'static [u8]>| {
            writer.write_now(batches(left), &moved, &counters)
        };
        assert_eq!(write_now(&mut writer, &mut left), Wrote::Part);
        assert!(moved.load(Ordering::Relaxed), "a part of it was taken");

        let mut task = Context::from_waker(Waker::noop());
        assert!(writer.poll_all(&mut task, batches(&mut left), &moved, &counters).is_pending());
        let asked = writer.stream.asked;
        assert_eq!(write_now(&mut writer, &mut left), Wrote::Waits);
        assert_eq!(writer.stream.asked, asked, "whoever else asked would be woken in the task's place");

        writer.stream.room = 100;
        assert!(writer.poll_all(&mut task, batches(&mut left), &moved, &counters).is_ready());
        assert_eq!(writer.stream.taken, b"firstsecond");
        assert_eq!(counters.snapshot().frames_out, 2);
        left.push(b"third");
        assert_eq!(write_now(&mut writer, &mut left), Wrote::Batch);
        assert_eq!(writer.stream.taken, b"firstsecondthird");
    }
}
