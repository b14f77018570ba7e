//! Who does not belong to the cluster.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use abide_cluster::transport::{ClusterName, Event, Identity, PemFiles, Refusal, Settings};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::AsyncReadExt as _;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::node::{ByHand, Node, identity, plain, settings};

/// A certificate authority made for one test.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut params = named(name, &[]);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn issue(&self, names: &[&str]) -> (CertificateDer<'static>, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let certificate = named("a member", names).signed_by(&key, &self.0).unwrap();
        (certificate.der().clone(), key)
    }

    pub(crate) fn files(&self, folder: &Path, names: &[&str]) -> PemFiles {
        use std::os::unix::fs::OpenOptionsExt as _;
        let folder = tempfile::tempdir_in(folder).unwrap().keep();
        let key = KeyPair::generate().unwrap();
        let certificate = named("a member", names).signed_by(&key, &self.0).unwrap();
        let files = PemFiles {
            authorities: folder.join("ca.pem"),
            certificate: folder.join("cert.pem"),
            key: folder.join("key.pem"),
        };
        fs::write(&files.authorities, self.0.pem()).unwrap();
        fs::write(&files.certificate, certificate.pem()).unwrap();
        let mut private = fs::OpenOptions::new();
        let mut private = private.write(true).create_new(true).mode(0o600).open(&files.key).unwrap();
        std::io::Write::write_all(&mut private, key.serialize_pem().as_bytes()).unwrap();
        files
    }

    fn identity(&self, cluster: &str) -> Identity {
        let folder = tempfile::tempdir().unwrap();
        let files = self.files(folder.path(), &[cluster]);
        Identity::from_pem_files(&files, &ClusterName::new(cluster).unwrap()).unwrap()
    }
}

/// With a name of its own: a certificate that is named as its issuer counts as self-signed.
fn named(name: &str, names: &[&str]) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn with(id: u64, identity: Identity, cluster: &str) -> Settings {
    let mut settings = plain(id);
    (settings.identity, settings.cluster) = (Some(identity), ClusterName::new(cluster).unwrap());
    settings
}

#[tokio::test]
async fn peers_of_one_authority_and_name_speak() {
    let authority = Authority::new("authority of a test");
    let one = Node::open(with(1, authority.identity("shop"), "shop")).await;
    let mut two = Node::open(with(2, authority.identity("shop"), "shop")).await;
    one.reaches(&mut two).await;
}

#[tokio::test]
async fn another_secret_another_name_and_another_authority_are_refused() {
    let (authority, other) = (Authority::new("one"), Authority::new("two"));
    let strangers = [
        (with(1, identity(1, "abide"), "abide"), with(2, identity(2, "abide"), "abide")),
        (with(1, identity(1, "shop"), "shop"), with(2, identity(1, "shop2"), "shop2")),
        (with(1, authority.identity("shop"), "shop"), with(2, authority.identity("shop2"), "shop2")),
        (with(1, authority.identity("shop"), "shop"), with(2, other.identity("shop"), "shop")),
    ];
    for (one, two) in strangers {
        let (one, mut two) = (Node::open(one).await, Node::open(two).await);
        for _ in 0..2 {
            let before =
                (one.transport.counts().refused(Refusal::Tls), two.transport.counts().refused(Refusal::Tls));
            one.send(&two, "let me in");
            one.until("it refuses", |counts| counts.refused(Refusal::Tls) > before.0).await;
            two.until("it refuses too", |counts| counts.refused(Refusal::Tls) > before.1).await;
        }
        assert_eq!((one.transport.counts().links_out, two.transport.counts().links_in), (0, 0));
        let says = |event: &Event| matches!(event, Event::Message(_) | Event::LinkUp(_) | Event::LinkLost(_));
        assert!(!two.comes(Duration::from_millis(50), says).await);
    }
}

/// A peer that takes whoever it connects to.
#[derive(Debug)]
struct Gullible;

impl ServerCertVerifier for Gullible {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}

fn gullible(certificate: Option<(CertificateDer<'static>, KeyPair)>) -> TlsConnector {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    TlsConnector::from(Arc::new(match certificate {
        None => config.with_no_client_auth(),
        Some((certificate, key)) => {
            let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
            config.with_client_auth_cert(vec![certificate], key).unwrap()
        }
    }))
}

#[tokio::test]
async fn the_accepting_side_looks_for_itself_at_who_connects() {
    let (authority, other) = (Authority::new("one"), Authority::new("two"));
    let one = Node::open(with(1, authority.identity("shop"), "shop")).await;
    let strangers =
        [None, Some(other.issue(&["shop"])), Some(authority.issue(&["shop2"])), Some(authority.issue(&[]))];
    for (n, stranger) in (1..).zip(strangers) {
        let stream = TcpStream::connect(one.me().address).await.unwrap();
        let shop = ServerName::try_from("shop").unwrap();
        let mut stream = gullible(stranger).connect(shop, stream).await.expect("the stranger asks nothing");
        let heard = stream.read_u8().await;
        assert!(heard.is_err(), "{n}: not a byte for a stranger");
        one.until("it is refused", |counts| counts.refused(Refusal::Tls) == n).await;
    }
    let stream = TcpStream::connect(one.me().address).await.unwrap();
    let shop = ServerName::try_from("shop").unwrap();
    let mut stream = gullible(Some(authority.issue(&["shop"]))).connect(shop, stream).await.unwrap();
    let silent = tokio::time::timeout(Duration::from_millis(300), stream.read_u8()).await;
    assert!(silent.is_err(), "who belongs to the cluster is waited for");
}

#[tokio::test]
async fn who_does_not_encrypt_and_who_does_not_expect_it_are_refused() {
    let mut one = Node::open(settings(1)).await;
    let mut two = Node::open(plain(2)).await;
    two.send(&one, "in the open");
    one.until("it is refused", |counts| counts.refused(Refusal::Tls) > 0).await;
    one.send(&two, "secretly");
    two.until("it is refused", |counts| {
        counts.refused(Refusal::Garbage) + counts.refused(Refusal::Oversized) > 0
    })
    .await;
    for node in [&mut one, &mut two] {
        assert!(!node.comes(Duration::from_millis(50), |event| matches!(event, Event::Message(_))).await);
    }
}

#[tokio::test]
async fn another_cluster_and_another_version_are_refused_and_told_why() {
    use abide_cluster::transport::frame::Kind;
    let one = Node::open(plain(1)).await;
    let mut cluster = ByHand::hello(2);
    cluster.cluster = "shop".into();
    let mut version = ByHand::hello(2);
    version.versions = (2, 7);
    for (hello, refusal) in
        [(cluster, Refusal::Cluster), (version, Refusal::Version), (ByHand::hello(1), Refusal::Itself)]
    {
        let mut peer = ByHand::connect(one.me()).await;
        peer.say(Kind::Hello, &hello.encode()).await;
        let answer = peer.hear().await.unwrap();
        assert_eq!((answer.kind, &answer.payload[..]), (Kind::Refusal, &[refusal as u8][..]));
        assert!(peer.hear().await.is_none());
        one.until("it is counted", |counts| counts.refused(refusal) == 1).await;
    }
}
