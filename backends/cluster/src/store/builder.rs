//! How a store is made.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Clock, SystemClock};

use super::clock::Time;
use super::error::OpenError;
use super::handle::ClusterStore;
use super::life::Plan;
use crate::protocol::{self, Member, NodeId};
use crate::transport::{self, ClusterName, Identity, Join};

/// How many servers keep a copy of each session. All servers of a cluster have to be told the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Copies {
    /// So many of them, or all where there are fewer. Half of them, rounded down, may die at once: with 3 one, with 5 two.
    Few(u8),
    /// Every one: the memory of a cluster is then that of one server, and a write goes to all.
    All,
}

impl Default for Copies {
    fn default() -> Self {
        Self::Few(3)
    }
}

impl Copies {
    fn number(self) -> u8 {
        match self {
            Self::Few(copies) => copies,
            Self::All => u8::MAX,
        }
    }
}

/// Makes a [`ClusterStore`].
#[derive(Debug)]
#[must_use]
pub struct ClusterStoreBuilder {
    protocol: protocol::Settings,
    transport: transport::Settings,
    copies: Copies,
    clock: Arc<dyn Clock>,
    is_moved_by_hand: bool,
}

impl ClusterStoreBuilder {
    pub(super) fn new(address: SocketAddr) -> Self {
        let me = Member { id: NodeId::ANY, address };
        Self {
            protocol: protocol::Settings::new(me, Vec::new(), 0),
            transport: transport::Settings::new(me, 0),
            copies: Copies::default(),
            clock: Arc::new(SystemClock),
            is_moved_by_hand: false,
        }
    }

    /// Where it listens for its peers, if that is not the address at which they reach it: `0.0.0.0:7001`, say.
    pub fn listen(mut self, address: SocketAddr) -> Self {
        self.transport.listen = address;
        self
    }

    /// The cluster's name, `abide` by default. Processes of different names have nothing to do with each other.
    pub fn cluster(mut self, name: ClusterName) -> Self {
        self.transport.cluster = name;
        self
    }

    /// Who may take part. Without one, links are neither encrypted nor authenticated, and nothing beyond loopback is
    /// listened on or spoken to.
    pub fn identity(mut self, identity: Identity) -> Self {
        self.transport.identity = Some(identity);
        self
    }

    /// Where the others may be found, this server among them: the same list everywhere. Without one this server founds a
    /// cluster of its own, at once.
    pub fn join(mut self, join: Join) -> Self {
        self.transport.join = join;
        self
    }

    /// How many servers keep a copy of each session: 3 by default. Who founds the cluster decides.
    pub fn copies(mut self, copies: Copies) -> Self {
        self.copies = copies;
        self
    }

    /// How long one operation may take: 1 s by default. Those that go through several sessions (of a user, or all) take that
    /// long for each step.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.protocol.operation = timeout;
        self
    }

    /// Another clock than the system's. Deadlines are judged by the median of the members' clocks: one that is wrong moves
    /// none.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Another clock that a test moves, for all members at once.
    #[doc(hidden)]
    pub fn clock_moved_by_hand(mut self, clock: Arc<dyn Clock>) -> Self {
        self.is_moved_by_hand = true;
        self.clock(clock)
    }

    /// Other times than the usual ones, for tests that found many clusters.
    #[doc(hidden)]
    pub fn tuned(mut self, tune: impl FnOnce(&mut protocol::Settings, &mut transport::Settings)) -> Self {
        tune(&mut self.protocol, &mut self.transport);
        self
    }

    /// A store that listens, and looks for its peers in a task of the current runtime. It waits for none of them: until it
    /// is a member that has its sessions, every operation is [`Unavailable`](abide_core::ErrorKind::Unavailable), and
    /// `ready` says so.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for a setting that is wrong, among them an address beyond loopback without an identity, and where the
    /// address cannot be listened on.
    ///
    /// # Cancellation
    ///
    /// Nothing was begun where this is cancelled.
    pub async fn open(mut self) -> Result<ClusterStore, OpenError> {
        self.check()?;
        self.protocol.one_clock = self.is_moved_by_hand;
        self.protocol.copies = self.copies.number();
        self.protocol.join = self.transport.join.addresses().to_vec();
        self.protocol.expect = self.transport.join.expect();
        let time = Time::new(self.clock, self.is_moved_by_hand);
        let plan = Plan { protocol: self.protocol, transport: self.transport };
        ClusterStore::begin(plan, time).await
    }

    fn check(&self) -> Result<(), OpenError> {
        if self.copies == Copies::Few(0) {
            return Err(OpenError::setting("copies is 0, expected how many servers keep a copy, such as 3"));
        }
        if self.protocol.operation.is_zero() {
            return Err(OpenError::setting("timeout is 0, expected how long an operation may take"));
        }
        let address = self.transport.me.address;
        if address.ip().is_unspecified() {
            return Err(OpenError::setting(format!(
                "{address} is no address at which peers reach this server: expected one of its own, and \
                 where to listen beside it (listen)"
            )));
        }
        Ok(())
    }
}
