//! What a transport is told, and what it refuses to be told.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::discovery::{Join, Resolver, SystemResolver};
use super::{ClusterName, Identity, frame};
use crate::codec::MAX_MESSAGE;
use crate::protocol::Member;

/// Settings of one process's transport.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// This process: its id, random for each start, and the address at which peers reach it. Port 0 stands for the port
    /// that it listens on.
    pub me: Member,
    /// Where it listens. The same as the address of `me`, unless told otherwise.
    pub listen: SocketAddr,
    /// Which cluster.
    pub cluster: ClusterName,
    /// Who may take part. Without one, links are neither encrypted nor authenticated, and only loopback is listened on and
    /// spoken to.
    pub identity: Option<Identity>,
    /// Where peers may be found.
    pub join: Join,
    /// Who knows which addresses a name has.
    pub resolver: Arc<dyn Resolver>,
    /// How much a peer may cost.
    pub limits: Limits,
    /// How long peers may take.
    pub times: Times,
    /// Seeds jitter and the choices of the failure detector. Random for each process; nothing secret comes from it.
    pub seed: u64,
}

impl Settings {
    /// The usual ones for a process that listens at an address, alone, without encryption.
    #[must_use]
    pub fn new(me: Member, seed: u64) -> Self {
        Self {
            me,
            listen: me.address,
            cluster: ClusterName::default(),
            identity: None,
            join: Join::default(),
            resolver: Arc::new(SystemResolver),
            limits: Limits::default(),
            times: Times::default(),
            seed,
        }
    }

    pub(super) fn check(&self) -> Result<(), SettingsError> {
        let exposed = [self.listen, self.me.address].into_iter().find(|at| !at.ip().is_loopback());
        if let (None, Some(exposed)) = (&self.identity, exposed) {
            return Err(SettingsError::new(format!(
                "{exposed} is beyond loopback: expected a secret file (secret_file), or certificates (ca, cert and key)"
            )));
        }
        let Limits { frame, queue_bytes, .. } = self.limits;
        if queue_bytes < frame.saturating_add(frame::BEFORE) {
            return Err(SettingsError::new(format!(
                "a queue of {queue_bytes} bytes never takes a frame of {frame}, expected more"
            )));
        }
        Ok(())
    }
}

/// How much a peer, or whoever connects, may cost.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of one frame: the largest message that the [codec](crate::codec) writes.
    pub frame: usize,
    /// Frames that wait to be sent to one peer. One more, and its link is dropped with all of them.
    pub queue_frames: usize,
    /// Bytes that wait to be sent to one peer. More, and its link is dropped with all of them.
    pub queue_bytes: usize,
    /// Connections whose other side has not shown yet who it is. One more, and the oldest of the address that has the
    /// most of them is dropped.
    pub handshakes: usize,
    /// Connections from one address, of either kind. One more, and its oldest unfinished one is dropped; where it has
    /// none, the new one.
    pub per_address: usize,
    /// Peers that are linked to this process, and peers that it is linked to.
    pub links: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            frame: MAX_MESSAGE,
            queue_frames: 8_192,
            queue_bytes: 2 * MAX_MESSAGE,
            handshakes: 128,
            per_address: 256,
            links: 512,
        }
    }
}

/// How long peers may take.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Times {
    /// Until a connection is there.
    pub connect: Duration,
    /// Until both sides know who the other is.
    pub handshake: Duration,
    /// Between two questions whether a link is alive.
    pub ping: Duration,
    /// Without an answer on a link before it is lost.
    pub silence: Duration,
    /// Between two attempts to connect, at first. It doubles, with jitter, up to `backoff_most`.
    pub backoff: Duration,
    /// Between two attempts to connect, at most. The founding of a cluster asks for a refusal once a second.
    pub backoff_most: Duration,
    /// How long a link that could not be made is remembered when nobody wants it any more.
    pub idle: Duration,
    /// Between two probes of the failure detector. Its other times follow from this one: about eight of it until a peer
    /// that stopped is down.
    pub probe: Duration,
    /// Between two look-ups of a name under which peers may be found.
    pub lookup: Duration,
}

impl Default for Times {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(1),
            handshake: Duration::from_secs(3),
            ping: Duration::from_millis(500),
            silence: Duration::from_secs(2),
            backoff: Duration::from_millis(50),
            backoff_most: Duration::from_millis(500),
            idle: Duration::from_secs(60),
            probe: Duration::from_secs(1),
            lookup: Duration::from_secs(5),
        }
    }
}

/// A setting that is wrong, and what would be accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError(String);

impl SettingsError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SettingsError {}
