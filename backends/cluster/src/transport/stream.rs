//! One connection: plain on loopback, else TLS; and the frames that come in on it.

use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsStream;
use tokio_util::either::Either;

use super::counts::Refusal;
use super::frame::{self, Frame, FrameError, Kind};

pub(super) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

/// At least so much is asked of the system at once.
const READ: usize = 16 << 10;

/// Why no frame comes any more.
#[derive(Debug)]
pub(super) enum End {
    /// The other side closed the connection, or it broke.
    Gone,
    /// TLS failed, which may come after its handshake: the other side's look at a certificate is the last step.
    Tls,
    Frame(FrameError),
    /// Nothing came for so long.
    Silent,
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        if is_tls(&error) { Self::Tls } else { Self::Gone }
    }
}

impl From<End> for Refusal {
    fn from(end: End) -> Self {
        match end {
            End::Gone => Self::Gone,
            End::Tls => Self::Tls,
            End::Frame(FrameError::Oversized) => Self::Oversized,
            End::Frame(FrameError::Malformed) => Self::Garbage,
            End::Silent => Self::Slow,
        }
    }
}

/// Whether TLS is what failed, and not what it runs on.
pub(super) fn is_tls(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>())
}

/// Frames off a stream.
#[derive(Debug)]
pub(super) struct Frames<S> {
    pub(super) stream: S,
    buffer: BytesMut,
    largest: usize,
}

impl<S> Frames<S> {
    pub(super) fn new(stream: S, largest: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), largest }
    }

    /// The same, with another bound on a frame and the stream made into something else.
    pub(super) fn map<T>(self, largest: usize, stream: impl FnOnce(S) -> T) -> Frames<T> {
        Frames { stream: stream(self.stream), buffer: self.buffer, largest }
    }
}

impl<S> Frames<S> {
    /// The next frame where all of it came already.
    pub(super) fn ready(&mut self) -> Result<Option<Frame>, End> {
        frame::decode(&mut self.buffer, self.largest).map_err(End::Frame)
    }
}

impl<S: AsyncRead + Unpin> Frames<S> {
    /// The next frame, where something comes within each such time: a large frame may take longer than that. Nothing is
    /// lost where this is cancelled.
    pub(super) async fn next(&mut self, patience: Duration) -> Result<Frame, End> {
        loop {
            if let Some(frame) = self.ready()? {
                return Ok(frame);
            }
            self.buffer.reserve(READ);
            match timeout(patience, self.stream.read_buf(&mut self.buffer)).await {
                Ok(Ok(1..)) => {}
                Ok(Ok(0)) => return Err(End::Gone),
                Ok(Err(error)) => return Err(error.into()),
                Err(_) => return Err(End::Silent),
            }
        }
    }
}

/// Sends one frame.
pub(super) async fn send<S: AsyncWrite + Unpin>(
    stream: &mut S,
    kind: Kind,
    payload: &[u8],
) -> io::Result<()> {
    let mut bytes = BytesMut::new();
    frame::encode(kind, payload, &mut bytes);
    stream.write_all(&bytes).await?;
    stream.flush().await
}
