//! A bare request and answer over TLS: what no operation that asks a peer can go below.
//!
//! TLS is as on the cluster's links: version 1.3 by `ring`, no Nagle. The certificate is made for the run; how the other
//! side is trusted matters to the handshake alone.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer, ServerName};
use rustls::version::TLS13;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{client, TlsAcceptor, TlsConnector};

const NAME: &str = "bare";
/// The lengths of the request and of the answer, which come first.
const HEAD: usize = 8;

/// Where it is served, and by which certificate it is known.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Place {
    address: SocketAddr,
    certificate: Vec<u8>,
}

/// Serves, in a task of the current runtime, until that ends.
pub(crate) async fn serve() -> anyhow::Result<Place> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let (certificate, key) = (made.cert.der().clone(), made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivatePkcs8KeyDer::from(key).into())?;
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(answer_all(acceptor.clone(), stream));
        }
    });
    Ok(Place { address, certificate: certificate.to_vec() })
}

async fn answer_all(acceptor: TlsAcceptor, stream: TcpStream) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut stream = acceptor.accept(stream).await?;
    loop {
        answer(&mut stream).await?;
    }
}

async fn answer<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    let (request, answer) = (stream.read_u32().await? as usize, stream.read_u32().await? as usize);
    let mut bytes = vec![0; request.saturating_sub(HEAD)];
    stream.read_exact(&mut bytes).await?;
    bytes.resize(answer, 0);
    stream.write_all(&bytes).await?;
    stream.flush().await
}

/// A connection on which one request after the other is sent.
pub(crate) struct Link(client::TlsStream<TcpStream>);

impl Link {
    /// Connects.
    pub(crate) async fn to(place: &Place) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from(place.certificate.clone()))?;
        let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_protocol_versions(&[&TLS13])?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(place.address).await?;
        stream.set_nodelay(true)?;
        let name = ServerName::try_from(NAME)?;
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
        Ok(Self(stream.context("the bare link cannot be made")?))
    }

    /// Sends so many bytes, and waits for so many.
    pub(crate) async fn ask(&mut self, request: usize, answer: usize) -> std::io::Result<()> {
        let length = |bytes: usize| u32::try_from(bytes).unwrap_or(u32::MAX).to_be_bytes();
        let mut bytes = [length(request), length(answer)].concat();
        bytes.resize(request.max(HEAD), 0);
        self.0.write_all(&bytes).await?;
        self.0.flush().await?;
        bytes.resize(answer, 0);
        self.0.read_exact(&mut bytes).await?;
        Ok(())
    }
}
