//! One server, and how to reach it.

use std::fmt;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, ProtocolVersion,
    RedisConnectionInfo, RedisResult, TlsCertificates,
};

use super::address::{Address, Login};
use super::pool::{Brought, Taken};
use super::{AddressError, LinkOptions};

/// Commands that may wait to be written into a connection.
const QUEUE: usize = 1024;

/// A server's name or number, and its port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Host {
    pub(super) name: String,
    pub(super) port: u16,
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// Where a server is: its host, a socket, or wherever a pool has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Host(Host),
    Socket(std::path::PathBuf),
    #[cfg_attr(not(feature = "pool"), allow(dead_code, reason = "there is none without the feature"))]
    Pool(Brought),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host(host) => host.fmt(f),
            Self::Socket(path) => path.display().fmt(f),
            Self::Pool(_) => f.write_str("the pool"),
        }
    }
}

/// A new connection.
pub(super) struct Opened {
    pub(super) connection: MultiplexedConnection,
    /// Whether the watcher hears what happens to it.
    pub(super) watched: bool,
    /// What is closed with it, where it was taken from a pool.
    pub(super) taken: Option<Taken>,
}

/// How every server of an address is reached.
#[derive(Clone)]
pub(super) struct Reach {
    settings: RedisConnectionInfo,
    /// An address with what TLS needs, in which the host is to be put.
    tls: Option<ConnectionAddr>,
    pub(super) options: LinkOptions,
}

impl Reach {
    /// The servers of an address.
    pub(super) fn servers(address: &Address, options: &LinkOptions) -> Result<Self, AddressError> {
        if address.insecure && !options.insecure_tls {
            return Err(AddressError::new(
                "`#insecure` is refused: TLS that takes any certificate protects nothing, and needs an option of its own \
                 (`LinkOptions::allow_insecure_tls`)",
            ));
        }
        let tls = address.tls.then(|| tls(address.insecure, options)).transpose()?;
        Ok(Self { settings: settings(&address.login, address.database), tls, options: options.clone() })
    }

    /// The sentinels of an address, which have a login of their own and no databases.
    pub(super) fn sentinels(address: &Address, options: &LinkOptions) -> Result<Self, AddressError> {
        let servers = Self::servers(address, options)?;
        let login =
            Login { user: options.sentinel_user.clone(), password: options.sentinel_password.clone() };
        Ok(Self { settings: settings(&login, 0), ..servers })
    }

    pub(super) fn info(&self, place: &Place) -> RedisResult<ConnectionInfo> {
        let address = match (place, &self.tls) {
            (Place::Socket(path), _) => ConnectionAddr::Unix(path.clone()),
            (Place::Host(host), None) => ConnectionAddr::Tcp(host.name.clone(), host.port),
            (Place::Host(host), Some(tls)) => put(tls.clone(), host),
            (Place::Pool(_), _) => return Err((redis::ErrorKind::Client, "a pool has no address").into()),
        };
        let info = address.into_connection_info()?;
        let tcp = TcpSettings::default().set_nodelay(true);
        Ok(info.set_tcp_settings(tcp).set_redis_settings(self.settings.clone()))
    }

    /// A new connection, logged in.
    pub(super) async fn connect(&self, place: &Place) -> RedisResult<MultiplexedConnection> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_within))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE);
        Client::open(self.info(place)?)?.get_multiplexed_async_connection_with_config(&config).await
    }

    /// A new connection to share: of the pool where there is one.
    pub(super) async fn open(&self, place: &Place) -> RedisResult<Opened> {
        if let Place::Pool(pool) = place {
            let (connection, taken) = pool.take().await?;
            return Ok(Opened { connection, watched: false, taken: Some(taken) });
        }
        let (connection, watched) = self.connect_watched(place).await?;
        Ok(Opened { connection, watched, taken: None })
    }

    /// A new connection whose pushes go to the watcher, and whether it was greeted: a server that takes no greeting serves
    /// all the same, and nobody watches.
    async fn connect_watched(&self, place: &Place) -> RedisResult<(MultiplexedConnection, bool)> {
        let Some(watcher) = &self.options.watcher else { return Ok((self.connect(place).await?, false)) };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.options.connect_within))
            .set_response_timeout(None)
            .set_pipeline_buffer_size(QUEUE)
            .set_push_sender(watcher.pushes());
        let info = self.info(place)?;
        let settings = info.redis_settings().clone().set_protocol(ProtocolVersion::RESP3);
        let client = Client::open(info.set_redis_settings(settings))?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let greeted = watcher.greet(&mut connection).await;
        if let Err(error) = &greeted {
            tracing::warn!(%error, "redis tells nothing of changes: a near-cache stays empty");
        }
        Ok((connection, greeted.is_ok()))
    }
}

/// Puts a host into an address.
fn put(mut tls: ConnectionAddr, to: &Host) -> ConnectionAddr {
    if let ConnectionAddr::TcpTls { host, port, .. } = &mut tls {
        (*host, *port) = (to.name.clone(), to.port);
    }
    tls
}

/// An address with what TLS needs.
fn tls(insecure: bool, options: &LinkOptions) -> Result<ConnectionAddr, AddressError> {
    // rustls asks for one provider for the process. An error means that there is one, which is as good.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let plain = ConnectionAddr::TcpTls { host: "localhost".into(), port: 1, insecure, tls_params: None };
    let Some(roots) = options.roots.clone() else { return Ok(plain) };
    let roots = TlsCertificates { client_tls: None, root_cert: Some(roots) };
    // Certificates in the form that a connection takes are given by a client alone.
    match Client::build_with_tls(plain, roots) {
        Ok(client) => Ok(client.get_connection_info().addr().clone()),
        Err(_) => {
            Err(AddressError::new("the certificates to trust are not valid, expected certificates as PEM"))
        }
    }
}

fn settings(login: &Login, database: i64) -> RedisConnectionInfo {
    let mut settings = RedisConnectionInfo::default().set_db(database);
    if let Some(user) = &login.user {
        settings = settings.set_username(user);
    }
    if let Some(password) = &login.password {
        settings = settings.set_password(password);
    }
    settings
}
