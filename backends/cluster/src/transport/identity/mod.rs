//! Who may take part: a certificate authority of the cluster, and this process's certificate of it.
//!
//! **Invariant.** Whoever completes a handshake holds a certificate of one of the cluster's authorities in which the
//! cluster's name stands, on either side, over TLS 1.3, without resumption. No key, secret or certificate is ever part of
//! an error or of `Debug`.

mod derived;
mod error;
mod files;
mod secret;
mod verifier;

use std::fmt;
use std::sync::Arc;

use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

pub use error::IdentityError;
pub use files::PemFiles;
pub use secret::Secret;

use super::ClusterName;
use verifier::OfCluster;

/// What a process shows to its peers, and what it asks of them. Cheap to clone.
#[derive(Clone)]
pub struct Identity {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
    pub(super) name: ServerName<'static>,
}

/// The authorities that are trusted, and a certificate with its key.
struct Parts {
    authorities: Vec<CertificateDer<'static>>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// An identity from secrets that every process of the cluster has. The authority is derived from the first one and
    /// the cluster's name (HKDF-SHA256, Ed25519), and this process issues itself a certificate with a fresh key. The
    /// authorities of the others are trusted too, so that a secret can be replaced while the cluster runs: add the new
    /// one behind the old one everywhere, then put it first everywhere, then take the old one away.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] where there is no secret, or no randomness for the key.
    pub fn from_secrets(secrets: &[Secret], cluster: &ClusterName) -> Result<Self, IdentityError> {
        Self::new(derived::parts(secrets, cluster)?, cluster)
    }

    /// An identity from PEM files: see [`PemFiles`]. They are read once; for renewed ones make another identity, and give
    /// it to [`Transport::renew`](super::Transport::renew).
    ///
    /// # Errors
    ///
    /// [`IdentityError`] for a file that cannot be read or is not what it should be, for a key that others than its
    /// owner may read, and for a certificate that peers would refuse: of another authority, out of date, without the
    /// cluster's name, or not good for both sides of a link.
    pub fn from_pem_files(files: &PemFiles, cluster: &ClusterName) -> Result<Self, IdentityError> {
        Self::new(files.read()?, cluster)
    }

    fn new(parts: Parts, cluster: &ClusterName) -> Result<Self, IdentityError> {
        let name = cluster.as_server_name();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let roots = Arc::new(roots(&parts.authorities)?);
        let servers = WebPkiServerVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| IdentityError::new("the authority cannot be used").with_source(error))?;
        let clients = WebPkiClientVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|error| IdentityError::new("the authority cannot be used").with_source(error))?;
        let clients = Arc::new(OfCluster::new(clients, name.clone()));
        would_be_taken(&parts.chain, &name, &*servers, &*clients)?;
        Ok(Self {
            client: client(provider.clone(), servers, &parts)?,
            server: server(provider, clients, parts)?,
            name,
        })
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("name", &self.name).finish_non_exhaustive()
    }
}

fn roots(authorities: &[CertificateDer<'static>]) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    for authority in authorities {
        let added = roots.add(authority.clone());
        added.map_err(|error| IdentityError::new("an authority cannot be used").with_source(error))?;
    }
    Ok(roots)
}

/// What peers would refuse is refused at start, where somebody reads it.
fn would_be_taken(
    chain: &[CertificateDer<'static>],
    name: &ServerName<'_>,
    servers: &dyn rustls::client::danger::ServerCertVerifier,
    clients: &dyn rustls::server::danger::ClientCertVerifier,
) -> Result<(), IdentityError> {
    let (own, between) = chain.split_first().ok_or_else(|| IdentityError::new("there is no certificate"))?;
    let now = UnixTime::now();
    let refused = |error| IdentityError::new("peers would refuse the certificate").with_source(error);
    servers.verify_server_cert(own, between, name, &[], now).map_err(refused)?;
    clients.verify_client_cert(own, between, now).map_err(refused)?;
    Ok(())
}

fn client(
    provider: Arc<CryptoProvider>,
    verifier: Arc<WebPkiServerVerifier>,
    parts: &Parts,
) -> Result<Arc<ClientConfig>, IdentityError> {
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_webpki_verifier(verifier)
        .with_client_auth_cert(parts.chain.clone(), parts.key.clone_key())
        .map_err(unusable)?;
    // A ticket would outlive the certificate for which it was given.
    config.resumption = Resumption::disabled();
    Ok(Arc::new(config))
}

fn server(
    provider: Arc<CryptoProvider>,
    verifier: Arc<OfCluster>,
    parts: Parts,
) -> Result<Arc<ServerConfig>, IdentityError> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(unusable)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(parts.chain, parts.key)
        .map_err(unusable)?;
    config.send_tls13_tickets = 0;
    Ok(Arc::new(config))
}

fn unusable(error: rustls::Error) -> IdentityError {
    IdentityError::new("the certificate and its key cannot be used").with_source(error)
}
