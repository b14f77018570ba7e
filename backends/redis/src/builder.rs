//! How a store is made.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use abide_core::{Clock, Error, SystemClock, codec};

use crate::combine::Combiner;
use crate::connect::{Address, AddressError, LinkOptions, Servers};
use crate::counts::Counts;
use crate::ended::Ended;
use crate::envelope::Versions;
use crate::inner::{Inner, Settings};
use crate::keeper::keep;
use crate::keys::Keys;
use crate::near::{NearCache, watcher};
use crate::recent::Recent;
use crate::store::RedisStore;
use crate::users::Users;

const DEFAULT_PREFIX: &str = "abide:";
const LONGEST_PREFIX: usize = 64;
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(1);
/// The default of [`RedisStoreBuilder::max_bytes`].
const DEFAULT_MAX_BYTES: usize = 1 << 20;
/// The default of [`RedisStoreBuilder::linger`]: as far apart as the clocks of two servers may be.
const DEFAULT_LINGER: Duration = abide_core::stamp::MAX_AHEAD;
/// The default of [`RedisStoreBuilder::recent_bytes`].
const DEFAULT_RECENT: usize = 16 << 20;

/// Makes a [`RedisStore`].
#[derive(Debug)]
#[must_use]
pub struct RedisStoreBuilder {
    address: Address,
    link: LinkOptions,
    prefix: String,
    settings: Settings,
    recent: usize,
    near: Option<u64>,
    clock: Arc<dyn Clock>,
}

/// Why a store was not opened: a wrong setting. That a server is away is none.
#[derive(Debug)]
pub struct OpenError(Reason);

#[derive(Debug)]
enum Reason {
    Setting(String),
    Address(AddressError),
    Entropy(Error),
}

impl OpenError {
    fn setting(what: impl Into<String>) -> Self {
        Self(Reason::Setting(what.into()))
    }
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Setting(what) => f.write_str(what),
            Reason::Address(error) => error.fmt(f),
            Reason::Entropy(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for OpenError {}

impl RedisStoreBuilder {
    pub(crate) fn new(address: Address) -> Self {
        let settings = Settings {
            replicas: 0,
            max_bytes: DEFAULT_MAX_BYTES,
            timeout: DEFAULT_TIMEOUT,
            linger: DEFAULT_LINGER,
        };
        Self {
            address,
            link: LinkOptions::default(),
            prefix: DEFAULT_PREFIX.into(),
            settings,
            recent: DEFAULT_RECENT,
            near: None,
            clock: Arc::new(SystemClock),
        }
    }

    /// What every key begins with: `abide:` by default. Stores of different prefixes share a server and no session.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How many replicas must have a write before it is answered, unless it [says otherwise](abide_core::Durability): none
    /// by default. Where fewer are connected it is refused before anything is written
    /// ([`Unavailable`](abide_core::ErrorKind::Unavailable)), as far as the last heartbeat knows; where fewer have it in time
    /// it is [`Ambiguous`](abide_core::ErrorKind::Ambiguous).
    ///
    /// An end waits for one replica where one is connected, whatever stands here.
    pub fn replicas(mut self, replicas: u8) -> Self {
        self.settings.replicas = replicas.into();
        self
    }

    /// The largest session that is stored, in bytes as it is encoded: 1 MiB by default, at most 16 MiB. One above it is
    /// [`TooLarge`](abide_core::ErrorKind::TooLarge). A large value holds up everybody: a server does one thing at a time.
    pub fn max_bytes(mut self, bytes: usize) -> Self {
        self.settings.max_bytes = bytes;
        self
    }

    /// How long one operation may take: 1 s by default. Those that go through several sessions (of a user, or all) take that
    /// long for each step.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// How long the server keeps a session past its deadline: a minute by default, for the clocks of those who share it may
    /// differ. Nobody is served from it meanwhile.
    pub fn linger(mut self, linger: Duration) -> Self {
        self.settings.linger = linger;
        self
    }

    /// How much memory may hold the records that were answered lately, in bytes: 16 MiB by default. A commit of one that
    /// is no more among them takes a trip more. No request reads from them.
    pub fn recent_bytes(mut self, bytes: usize) -> Self {
        self.recent = bytes;
        self
    }

    /// Answers reads from a cache in this process of at most so many bytes, kept true by what the server tells of
    /// changes: off by default. It needs a Redis of version 6 or later, and neither a Cluster nor a
    /// [pool](Address::pool).
    ///
    /// **A read may then be old**: by the flight of one message (well under a millisecond on a good network), and by a
    /// second at the most where the connection or the server hangs unnoticed.
    /// [`fresh`](abide_core::LoadOptions::fresh) goes past it, every write is decided in the server as ever, and what this
    /// process wrote or ended itself it sees at once.
    pub fn near_cache(mut self, bytes: u64) -> Self {
        self.near = Some(bytes);
        self
    }

    /// How to talk to the servers.
    pub fn link(mut self, options: LinkOptions) -> Self {
        self.link = options;
        self
    }

    /// Another clock than the system's. Deadlines are judged by it; the server's own expiry only cleans up.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// A store that begins to connect, in tasks of the current runtime. It waits for no server: until one is there, every
    /// operation is [`Unavailable`](abide_core::ErrorKind::Unavailable), and `ready` says so.
    ///
    /// # Errors
    ///
    /// [`OpenError`] for a setting that is wrong; it says what would be accepted, and never a password.
    ///
    /// # Panics
    ///
    /// Outside a tokio runtime.
    pub fn open(self) -> Result<RedisStore, OpenError> {
        self.check()?;
        let keys = Keys::new(&self.prefix);
        let near = self.near.map(|bytes| Arc::new(NearCache::new(bytes)));
        let link = match &near {
            Some(near) => self.link.watcher(watcher(near.clone(), keys.clone())),
            None => self.link,
        };
        let servers = Servers::open(self.address, link).map_err(|error| OpenError(Reason::Address(error)))?;
        let inner = Arc::new(Inner {
            users: Users::new(servers.clone(), keys.clone(), self.settings.linger),
            servers,
            keys,
            settings: self.settings,
            clock: self.clock,
            versions: Versions::new().map_err(|error| OpenError(Reason::Entropy(error)))?,
            recent: Recent::new(self.recent),
            ended: Arc::new(Ended::new()),
            combiner: Combiner::default(),
            near,
            counts: Counts::default(),
        });
        keep(&inner);
        Ok(RedisStore::of(inner))
    }

    fn check(&self) -> Result<(), OpenError> {
        let (prefix, bytes) = (&self.prefix, self.settings.max_bytes);
        // Those left out have a meaning in patterns, or decide which keys of a Cluster live together.
        let fits = |c: char| c.is_ascii_graphic() && !"{}[]*?\\^".contains(c);
        if prefix.len() > LONGEST_PREFIX || !prefix.chars().all(fits) {
            return Err(OpenError::setting(format!(
                "the prefix is {prefix:?}, expected at most {LONGEST_PREFIX} visible ASCII characters without any of \
                 {{}}[]*?\\^"
            )));
        }
        if !(1..=codec::MAX_ENCODED).contains(&bytes) {
            return Err(OpenError::setting(format!(
                "the largest session is {bytes} bytes, expected 1 to {}",
                codec::MAX_ENCODED
            )));
        }
        if self.near.is_some() && self.address.is_cluster() {
            return Err(OpenError::setting("a Cluster has no near-cache yet, expected it to be off"));
        }
        if self.near.is_some() && self.address.is_pool() {
            return Err(OpenError::setting(
                "connections of a pool do not tell of changes, expected the near-cache to be off",
            ));
        }
        if self.settings.timeout.is_zero() {
            return Err(OpenError::setting("the timeout is zero, expected a longer one, such as 1s"));
        }
        Ok(())
    }
}
