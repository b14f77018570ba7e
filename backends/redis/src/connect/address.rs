//! Where the servers are: the part of a URL that names them.

use std::fmt;
use std::path::PathBuf;

use percent_encoding::percent_decode_str;
use url::Url;

use super::pool::Brought;
use super::target::Host;

const DEFAULT_PORT: u16 = 6379;
const DEFAULT_SENTINEL_PORT: u16 = 26379;

/// Where the servers are, and who logs in there. `Debug` shows neither user nor password.
///
/// ```
/// use abide_redis::connect::Address;
///
/// for (scheme, rest) in [
///     ("redis", "//127.0.0.1:6379/0"),
///     ("rediss", "//shop:p%40ss@redis.example.com"),
///     ("unix", "/run/redis/redis.sock"),
///     ("redis+sentinel", "//10.0.0.1,10.0.0.2,10.0.0.3:26380/main/0"),
///     ("redis+cluster", "//10.0.0.1:7000,10.0.0.2:7000"),
/// ] {
///     Address::parse(scheme, rest)?;
/// }
/// # Ok::<(), abide_redis::connect::AddressError>(())
/// ```
#[derive(Clone)]
pub struct Address {
    pub(super) kind: Kind,
    pub(super) login: Login,
    pub(super) database: i64,
    pub(super) tls: bool,
    /// `#insecure`: any certificate will do.
    pub(super) insecure: bool,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Server(Host),
    Unix(PathBuf),
    Sentinel {
        sentinels: Vec<Host>,
        master: String,
    },
    Cluster(Vec<Host>),
    #[cfg_attr(not(feature = "pool"), allow(dead_code, reason = "there is none without the feature"))]
    Pool(Brought),
}

/// Who logs in.
#[derive(Clone, Default)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

/// An address that was refused. It names what is accepted, and never a user or a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AddressError(String);

impl AddressError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for AddressError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for AddressError {}

impl Address {
    /// Whether it is that of a Cluster.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster(_))
    }

    /// Whether its connections come from a pool that the application brought.
    pub(crate) fn is_pool(&self) -> bool {
        matches!(self.kind, Kind::Pool(_))
    }

    /// The server that the connections of a pool lead to, whichever that is: for an application that has one already, with
    /// settings of its own (certificates of the client, hooks, a bound on all its connections).
    ///
    /// One connection is taken for good, and shared by all ordinary commands; one more for each operation that waits for
    /// replicas, while it waits. So the pool must have room for two, and for what else uses it.
    ///
    /// Deadlines, heartbeats, the breaker and connecting again are as on any address. **What is missing:**
    ///
    /// - Nobody looks for a new master. The pool's address must lead to it (a proxy, a virtual address, a name that is
    ///   looked up anew); a connection to a server that is no master any more is closed, and another one taken from the pool.
    ///   For a Sentinel set or a Cluster name it by [`parse`](Self::parse): pools of `deadpool_redis::sentinel` and
    ///   `deadpool_redis::cluster` do not fit here.
    /// - There is no [near-cache](crate::RedisStoreBuilder::near_cache), for the pool's connections do not tell of changes.
    /// - Login, TLS and database are the pool's: the [options](super::LinkOptions) about them mean nothing here, nor does
    ///   [`lanes`](super::LinkOptions::lanes). The time to connect is the shorter of the pool's and of
    ///   [`connect_within`](super::LinkOptions::connect_within); the response timeout of the pool is set aside.
    /// - The pool checks a connection at each checkout, which makes a write that waits for replicas two trips.
    ///
    /// ```no_run
    /// use abide_core::SessionStore;
    /// use abide_redis::{Address, RedisStore};
    /// use deadpool_redis::{Config, Runtime};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let pool = Config::from_url("redis://127.0.0.1:6379/0").create_pool(Some(Runtime::Tokio1))?;
    /// let store = RedisStore::builder(Address::pool(pool.clone())).open()?;
    /// println!("{:?}", store.ready().await);
    /// // The rest of the pool is the application's.
    /// let mut connection = pool.get().await?;
    /// # let _ = &mut connection;
    /// # Ok(()) }
    /// ```
    #[cfg(feature = "pool")]
    #[must_use]
    pub fn pool(pool: deadpool_redis::Pool) -> Self {
        let kind = Kind::Pool(Brought::new(pool));
        Self { kind, login: Login::default(), database: 0, tls: false, insecure: false }
    }

    /// The schemes of a URL that name Redis.
    pub const SCHEMES: [&str; 7] =
        ["redis", "rediss", "unix", "redis+sentinel", "rediss+sentinel", "redis+cluster", "rediss+cluster"];

    /// Reads what stands between the colon of the scheme and the options of a URL.
    ///
    /// | scheme | address |
    /// |---|---|
    /// | `redis`, `rediss` | `//user:password@host:6379/0` |
    /// | `unix` | `/path/of/the/socket` |
    /// | `redis+sentinel`, `rediss+sentinel` | `//user:password@sentinel1:26379,sentinel2/master/0` |
    /// | `redis+cluster`, `rediss+cluster` | `//user:password@host1:6379,host2` |
    ///
    /// `rediss` is TLS. User, password, ports and the database may be left out. In a user or a password, characters that
    /// mean something in a URL are percent-encoded. The login is that of the servers; sentinels have
    /// [their own](super::LinkOptions::sentinel_login).
    ///
    /// # Errors
    ///
    /// [`AddressError`], which names what is accepted.
    pub fn parse(scheme: &str, rest: &str) -> Result<Self, AddressError> {
        Reader::new(scheme, rest).and_then(|reader| reader.address())
    }

    /// Another database than 0, or the one that the path names.
    ///
    /// # Errors
    ///
    /// [`AddressError`] for a Cluster, which has database 0 alone, for a pool, which has its own, and for a negative number.
    pub fn with_database(mut self, database: i64) -> Result<Self, AddressError> {
        if database < 0 {
            return Err(AddressError::new(format!(
                "redis database {database} is negative, expected 0 or more"
            )));
        }
        if database != 0 && matches!(self.kind, Kind::Cluster(_)) {
            return Err(AddressError::new(format!("a redis cluster has database 0 alone, not {database}")));
        }
        if self.is_pool() {
            return Err(AddressError::new("the database is the pool's, expected none to be named"));
        }
        self.database = database;
        Ok(self)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address")
            .field("servers", &self.kind)
            .field("database", &self.database)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}

/// An address on its way from text. An error shows none of it: what looks like a host may be the half of a password that
/// should have been encoded.
struct Reader<'a> {
    scheme: &'a str,
    tls: bool,
    insecure: bool,
    rest: &'a str,
}

impl<'a> Reader<'a> {
    fn new(scheme: &'a str, rest: &'a str) -> Result<Self, AddressError> {
        if !Address::SCHEMES.contains(&scheme) {
            let known: Vec<_> = Address::SCHEMES.iter().map(|known| format!("`{known}:`")).collect();
            return Err(AddressError::new(format!(
                "store scheme `{scheme}:` is not one of redis, expected one of: {}",
                known.join(", ")
            )));
        }
        let (rest, fragment) = match rest.split_once('#') {
            Some((rest, fragment)) => (rest, Some(fragment)),
            None => (rest, None),
        };
        let tls = scheme.starts_with("rediss");
        let reader = Self { scheme, tls, insecure: fragment == Some("insecure"), rest };
        match fragment {
            Some("insecure") if tls => Ok(reader),
            Some("insecure") => Err(reader.error("`#insecure` without TLS")),
            // A `#` in a password ends the address where nobody expects it.
            Some(_) => Err(reader.error("a `#` (in a user or a password it is written `%23`)")),
            None => Ok(reader),
        }
    }

    fn address(&self) -> Result<Address, AddressError> {
        if self.rest.contains('?') {
            return Err(self.error("a `?` (in a user or a password it is written `%3F`)"));
        }
        if self.scheme == "unix" {
            return self.unix();
        }
        let Some(after) = self.rest.strip_prefix("//") else {
            return Err(self.error("no `//` before the host"));
        };
        let (authority, path) = after.split_once('/').unwrap_or((after, ""));
        if path.contains('@') {
            return Err(self.error("a `/` before the host (in a user or a password it is written `%2F`)"));
        }
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (self.login(login)?, hosts),
            None => (Login::default(), authority),
        };
        let (kind, database) = self.kind(hosts, path)?;
        let address = Address { kind, login, database: 0, tls: self.tls, insecure: self.insecure };
        address.with_database(database)
    }

    fn unix(&self) -> Result<Address, AddressError> {
        let path = self.rest.strip_prefix("//").unwrap_or(self.rest);
        let decoded = percent_decode_str(path).decode_utf8().ok();
        let Some(path) = decoded.filter(|path| path.starts_with('/') && path.len() > 1) else {
            return Err(self.error("no absolute path"));
        };
        let kind = Kind::Unix(PathBuf::from(&*path));
        Ok(Address { kind, login: Login::default(), database: 0, tls: false, insecure: false })
    }

    fn login(&self, text: &str) -> Result<Login, AddressError> {
        let (user, password) = match text.split_once(':') {
            Some((user, password)) => (user, Some(password)),
            None => (text, None),
        };
        let decode = |text: &str| percent_decode_str(text).decode_utf8().map(|text| text.into_owned());
        let user = decode(user).map_err(|_| self.error("a user that is not UTF-8"))?;
        let password = password.map(decode).transpose();
        let password = password.map_err(|_| self.error("a password that is not UTF-8"))?;
        if password.is_none() {
            return Err(self.error("a user without a password"));
        }
        Ok(Login { user: Some(user).filter(|user| !user.is_empty()), password })
    }

    fn kind(&self, hosts: &str, path: &str) -> Result<(Kind, i64), AddressError> {
        let default = if self.scheme.ends_with("sentinel") { DEFAULT_SENTINEL_PORT } else { DEFAULT_PORT };
        let hosts: Result<Vec<_>, _> = hosts.split(',').map(|host| self.host(host, default)).collect();
        let hosts = hosts?;
        if self.scheme.ends_with("+sentinel") {
            let (master, database) = path.split_once('/').unwrap_or((path, ""));
            let master = percent_decode_str(master).decode_utf8().ok().filter(|name| !name.is_empty());
            let Some(master) = master else { return Err(self.error("no name of a master")) };
            let kind = Kind::Sentinel { sentinels: hosts, master: master.into_owned() };
            return Ok((kind, self.database(database)?));
        }
        let database = self.database(path)?;
        if self.scheme.ends_with("+cluster") {
            return Ok((Kind::Cluster(hosts), database));
        }
        match <[Host; 1]>::try_from(hosts) {
            Ok([host]) => Ok((Kind::Server(host), database)),
            Err(_) => Err(self.error("more than one host")),
        }
    }

    fn host(&self, text: &str, default: u16) -> Result<Host, AddressError> {
        if text.is_empty() {
            return Err(self.error("an empty host"));
        }
        let url = Url::parse(&format!("redis://{text}"))
            .map_err(|_| self.error("a host or a port that is none"))?;
        let Some(host) = url.host_str().filter(|_| matches!(url.path(), "" | "/")) else {
            return Err(self.error("a host that is none"));
        };
        let port = url.port().unwrap_or(default);
        if port == 0 {
            return Err(self.error("a port that is none"));
        }
        let name = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Ok(Host { name: name.to_owned(), port })
    }

    fn database(&self, text: &str) -> Result<i64, AddressError> {
        let text = text.strip_suffix('/').unwrap_or(text);
        if text.is_empty() {
            return Ok(0);
        }
        let number = text.parse().ok().filter(|number| *number >= 0);
        number.ok_or_else(|| self.error("a database that is no number"))
    }

    fn error(&self, what: &str) -> AddressError {
        AddressError::new(format!(
            "store address of `{}:` has {what}, expected {}",
            self.scheme,
            accepted(self.scheme)
        ))
    }
}

/// What an address of a scheme looks like.
fn accepted(scheme: &str) -> &'static str {
    match scheme {
        "rediss" => "`rediss://user:password@host:6379/0`",
        "unix" => "`unix:/path/of/the/socket`",
        "redis+sentinel" => "`redis+sentinel://user:password@sentinel1:26379,sentinel2/master/0`",
        "rediss+sentinel" => "`rediss+sentinel://user:password@sentinel1:26379,sentinel2/master/0`",
        "redis+cluster" => "`redis+cluster://user:password@host1:6379,host2`",
        "rediss+cluster" => "`rediss+cluster://user:password@host1:6379,host2`",
        _ => "`redis://user:password@host:6379/0`",
    }
}
