//! What is counted, and what is said of it in the log.
//!
//! **Invariant.** Whoever is refused is counted; a reason is written to the log once in ten minutes, however often it
//! occurs: nobody fills a disk by knocking.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;
use std::{fmt, io};

use tokio::time::Instant;

/// How long a reason is only counted after it was logged.
const QUIET: Duration = Duration::from_secs(600);

/// Why a connection did not become a link, or a link was dropped, by this side.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum Refusal {
    /// Too many connections are waiting, or come from one address.
    Crowd,
    /// It did not show in time who it is.
    Slow,
    /// It does not speak TLS, or has no certificate of this cluster: another secret, another authority, another name.
    Tls,
    /// What it says is no frame.
    Garbage,
    /// A frame is above the bound.
    Oversized,
    /// It speaks no version that this process speaks.
    Version,
    /// It belongs to another cluster.
    Cluster,
    /// It is this very process.
    Itself,
    /// It broke off before it showed who it is.
    Gone,
    /// It does not take what is sent to it as fast as it is sent.
    Shed,
}

impl Refusal {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Crowd,
        Self::Slow,
        Self::Tls,
        Self::Garbage,
        Self::Oversized,
        Self::Version,
        Self::Cluster,
        Self::Itself,
        Self::Gone,
        Self::Shed,
    ];

    /// Its name in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Crowd => "crowd",
            Self::Slow => "slow",
            Self::Tls => "tls",
            Self::Garbage => "garbage",
            Self::Oversized => "oversized",
            Self::Version => "version",
            Self::Cluster => "cluster",
            Self::Itself => "itself",
            Self::Gone => "gone",
            Self::Shed => "shed",
        }
    }

    pub(super) fn to_byte(self) -> u8 {
        self as u8
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.to_byte() == byte)
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a transport did so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Connections and links that this side refused or dropped.
    pub refused: Vec<(Refusal, u64)>,
    /// Links that were asked for and not made, but where the connection was refused: nobody answered, or the peer
    /// refused.
    pub failed: u64,
    /// Links to peers that are up.
    pub links_out: u64,
    /// Links from peers that are up.
    pub links_in: u64,
    /// Links to peers that were up and broke.
    pub lost: u64,
    /// Frames that were given to the system for sending, of protocol and failure detector.
    pub frames_out: u64,
    /// Bytes of these.
    pub bytes_out: u64,
    /// How often frames were given to the system: less often than there are frames where several went together.
    pub flushes: u64,
    /// Frames received, of protocol and failure detector.
    pub frames_in: u64,
    /// Bytes of these.
    pub bytes_in: u64,
    /// Messages that went nowhere: no link could be made in time, or it broke before they left.
    pub unsent: u64,
    /// Packets of the failure detector that were none, or for which there was no room.
    pub swim_dropped: u64,
}

impl Counts {
    /// How often this side refused for a reason.
    #[must_use]
    pub fn refused(&self, refusal: Refusal) -> u64 {
        self.refused.iter().find(|(of, _)| *of == refusal).map_or(0, |(_, count)| *count)
    }
}

/// What is logged once in a while.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum News {
    Refused(Refusal),
    Rejected(Option<Refusal>),
    AcceptFailed,
}

#[derive(Debug, Default)]
pub(super) struct Counters {
    refused: [AtomicU64; Refusal::ALL.len()],
    logged: Mutex<HashMap<News, Instant>>,
    pub(super) failed: AtomicU64,
    pub(super) links_out: AtomicU64,
    pub(super) links_in: AtomicU64,
    pub(super) lost: AtomicU64,
    pub(super) frames_out: AtomicU64,
    pub(super) bytes_out: AtomicU64,
    pub(super) flushes: AtomicU64,
    pub(super) frames_in: AtomicU64,
    pub(super) bytes_in: AtomicU64,
    pub(super) unsent: AtomicU64,
    pub(super) swim_dropped: AtomicU64,
}

impl Counters {
    /// Counts a refusal by this side.
    pub(super) fn refuse(&self, refusal: Refusal, peer: SocketAddr) {
        let count = self.refused[usize::from(refusal.to_byte())].fetch_add(1, Ordering::Relaxed) + 1;
        if self.is_news(News::Refused(refusal)) {
            tracing::warn!(%peer, reason = %refusal, count, "cluster: a connection is refused; others are only counted");
        }
    }

    /// A peer refused this process.
    pub(super) fn reject(&self, refusal: Option<Refusal>, peer: SocketAddr) {
        if self.is_news(News::Rejected(refusal)) {
            let reason = refusal.map_or("unknown", Refusal::as_str);
            tracing::warn!(%peer, reason, "cluster: a peer refuses this process");
        }
    }

    /// No connection could be accepted.
    pub(super) fn accept_failed(&self, error: &io::Error) {
        if self.is_news(News::AcceptFailed) {
            tracing::error!(%error, "cluster: no connection can be accepted");
        }
    }

    fn is_news(&self, news: News) -> bool {
        let mut logged = self.logged.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let is_news = logged.get(&news).is_none_or(|last| now.duration_since(*last) >= QUIET);
        if is_news {
            logged.insert(news, now);
        }
        is_news
    }

    pub(super) fn snapshot(&self) -> Counts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Counts {
            refused: Refusal::ALL
                .iter()
                .map(|of| (*of, read(&self.refused[usize::from(of.to_byte())])))
                .collect(),
            failed: read(&self.failed),
            links_out: read(&self.links_out),
            links_in: read(&self.links_in),
            lost: read(&self.lost),
            frames_out: read(&self.frames_out),
            bytes_out: read(&self.bytes_out),
            flushes: read(&self.flushes),
            frames_in: read(&self.frames_in),
            bytes_in: read(&self.bytes_in),
            unsent: read(&self.unsent),
            swim_dropped: read(&self.swim_dropped),
        }
    }
}

pub(super) fn count(counter: &AtomicU64, by: usize) {
    counter.fetch_add(by as u64, Ordering::Relaxed);
}

/// One more for as long as it lives.
#[derive(Debug)]
pub(super) struct Gauge<'a>(&'a AtomicU64);

impl<'a> Gauge<'a> {
    pub(super) fn up(counter: &'a AtomicU64) -> Self {
        counter.fetch_add(1, Ordering::Relaxed);
        Self(counter)
    }
}

impl Drop for Gauge<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
