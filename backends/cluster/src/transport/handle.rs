//! One process's end of all its links.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::DropGuard;

use super::accept::accept;
use super::counts::Counts;
use super::discovery;
use super::event::Inbox;
use super::frame::Kind;
use super::identity::Identity;
use super::lanes::Lanes;
use super::links::Unsent;
use super::settings::{Settings, SettingsError};
use super::shared::Shared;
use super::swim::{self, Membership};
use crate::protocol::{Member, NodeId};

/// Inputs that wait for the failure detector.
const SWIM_QUEUE: usize = 1_024;

/// The links of one process. Dropping it drops them all, and frees its address.
///
/// ```
/// use abide_cluster::protocol::{Member, NodeId};
/// use abide_cluster::transport::{Event, Identity, Inbox, Secret, Settings, Transport};
/// use std::sync::Arc;
/// use tokio::sync::mpsc;
///
/// #[derive(Debug)]
/// struct Letters(mpsc::UnboundedSender<Event>);
///
/// impl Inbox for Letters {
///     fn take(&self, events: &mut Vec<Event>) {
///         events.drain(..).for_each(|event| drop(self.0.send(event)));
///     }
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let folder = tempfile::tempdir()?;
/// Secret::create(folder.path().join("secret"))?;
/// let secrets = Secret::read(folder.path().join("secret"))?;
/// let settings = |id| -> Result<Settings, Box<dyn std::error::Error>> {
///     let mut settings = Settings::new(Member { id: NodeId(id), address: "127.0.0.1:0".parse()? }, id);
///     settings.identity = Some(Identity::from_secrets(&secrets, &settings.cluster)?);
///     Ok(settings)
/// };
/// let (letters, mut events) = mpsc::unbounded_channel();
/// let one = Transport::open(settings(1)?, Arc::new(Letters(letters.clone()))).await?;
/// let two = Transport::open(settings(2)?, Arc::new(Letters(letters))).await?;
///
/// one.send(two.me().address, "hello".into())?;
/// loop {
///     if let Some(Event::Message(received)) = events.recv().await {
///         assert_eq!((received.from, &received.bytes[..]), (one.me(), &b"hello"[..]));
///         break;
///     }
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Transport {
    shared: Arc<Shared>,
    membership: watch::Receiver<Membership>,
    seeds: watch::Receiver<Vec<SocketAddr>>,
    _stop: DropGuard,
}

impl Transport {
    /// Listens, and looks for peers. The inbox is called from here on.
    ///
    /// # Errors
    ///
    /// [`OpenError`] where the settings are wrong, among them an address beyond loopback without an identity, and where
    /// the address cannot be listened on.
    ///
    /// # Cancellation
    ///
    /// Nothing was begun where this is cancelled.
    pub async fn open(mut settings: Settings, inbox: Arc<dyn Inbox>) -> Result<Self, OpenError> {
        settings.check().map_err(OpenError::Settings)?;
        let listener = TcpListener::bind(settings.listen).await.map_err(OpenError::Listen)?;
        if settings.me.address.port() == 0 {
            settings.me.address.set_port(listener.local_addr().map_err(OpenError::Listen)?.port());
        }
        let (inputs, to_swim) = mpsc::channel(SWIM_QUEUE);
        let (published, membership) = watch::channel(Membership::default());
        let (found, seeds) = watch::channel(settings.join.addresses().to_vec());
        let (lanes, tasks) = Lanes::new();
        let shared = Arc::new(Shared::new(settings, inbox, inputs));
        tasks.into_iter().for_each(|lane| shared.spawn(lane.run()));
        shared.spawn(accept(shared.clone(), listener, Arc::new(lanes)));
        shared.spawn(discovery::look_up(shared.settings.clone(), found));
        shared.spawn(swim::drive(shared.clone(), to_swim, published, seeds.clone()));
        let stop = shared.stop.clone().drop_guard();
        Ok(Self { shared, membership, seeds, _stop: stop })
    }

    /// This process, as peers see it.
    #[must_use]
    pub fn me(&self) -> Member {
        self.shared.settings.me
    }

    /// Sends bytes to whoever listens at an address, over the link to it, which is made where there is none. Never waits.
    /// What is sent may be lost, and comes at most once; on one link it comes in order.
    ///
    /// # Errors
    ///
    /// [`Unsent`] where it surely goes nowhere.
    pub fn send(&self, to: SocketAddr, bytes: Bytes) -> Result<(), Unsent> {
        self.shared.send(to, Kind::Message, bytes)
    }

    /// Sends messages to one peer, as [`send`](Self::send) does each: they go together. What surely goes nowhere is counted, and
    /// lost as on any network.
    pub fn send_all(&self, to: SocketAddr, messages: impl Iterator<Item = Bytes>) {
        self.shared.send_all(to, messages);
    }

    /// Tells the failure detector who has to be watched: the members of the cluster. One of which it never heard is
    /// probed; one that it holds for down is told again as [`Event::Down`](super::Event::Down).
    ///
    /// # Cancellation
    ///
    /// It was told or it was not.
    pub async fn watch(&self, members: Vec<Member>) {
        self.shared.tell_swim(swim::Input::Watch(members)).await;
    }

    /// Tells the peers that this process is about to end, so that nobody has to find out. Links stay until it is dropped.
    ///
    /// # Cancellation
    ///
    /// They were told or they were not.
    pub async fn leave(&self) {
        self.shared.tell_swim(swim::Input::Leave).await;
    }

    /// Shows another certificate from now on, and trusts other authorities. Links that are up stay as they are.
    pub fn renew(&self, identity: Identity) {
        self.shared.renew(identity);
    }

    /// What the failure detector holds of the others. It changes with every verdict.
    #[must_use]
    pub fn membership(&self) -> watch::Receiver<Membership> {
        self.membership.clone()
    }

    /// Where peers may be found, as of the last look-up.
    #[must_use]
    pub fn seeds(&self) -> watch::Receiver<Vec<SocketAddr>> {
        self.seeds.clone()
    }

    /// Those that the failure detector suspects and has not given up.
    #[must_use]
    pub fn suspects(&self) -> Vec<NodeId> {
        self.membership.borrow().suspects.clone()
    }

    /// What was done so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.shared.counters.snapshot()
    }

    /// Drops all links, and returns when every task is gone.
    ///
    /// # Cancellation
    ///
    /// The tasks end all the same, but nobody waits for them.
    pub async fn close(&self) {
        self.shared.stop().await;
    }
}

/// Why there is no transport.
#[derive(Debug)]
#[non_exhaustive]
pub enum OpenError {
    /// A setting is wrong.
    Settings(SettingsError),
    /// The address cannot be listened on.
    Listen(io::Error),
}

impl std::fmt::Display for OpenError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Settings(error) => error.fmt(f),
            Self::Listen(_) => f.write_str("the cluster's address cannot be listened on"),
        }
    }
}

impl std::error::Error for OpenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Settings(_) => None,
            Self::Listen(error) => Some(error),
        }
    }
}
