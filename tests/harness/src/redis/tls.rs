//! A certificate authority made for one test, and a server's certificate of it.

use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// An authority and a certificate for `127.0.0.1` and `localhost`, in a folder that goes with the last clone.
#[derive(Clone, Debug)]
pub struct Certificates {
    folder: Arc<TempDir>,
    authority: String,
}

impl Certificates {
    /// Makes them.
    ///
    /// # Panics
    ///
    /// Where the temporary folder cannot be written.
    #[must_use]
    pub fn make() -> Self {
        let folder = tempfile::Builder::new().prefix("abide-tls-").tempdir().unwrap();
        let mut authority = named("authority of a test", Vec::new());
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = vec!["127.0.0.1".to_owned(), "localhost".to_owned()];
        let server = named("server of a test", names).signed_by(&key, &authority).unwrap();
        std::fs::write(folder.path().join("authority.pem"), authority.pem()).unwrap();
        std::fs::write(folder.path().join("server.pem"), server.pem()).unwrap();
        std::fs::write(folder.path().join("server.key"), key.serialize_pem()).unwrap();
        Self { folder: Arc::new(folder), authority: authority.pem() }
    }

    /// The authority's certificate, as PEM.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.authority
    }

    pub(super) fn server_arguments(&self) -> Vec<String> {
        let files = [
            ("--tls-cert-file", "server.pem"),
            ("--tls-key-file", "server.key"),
            ("--tls-ca-cert-file", "authority.pem"),
        ];
        files.iter().flat_map(|(name, file)| [(*name).to_owned(), self.path(file)]).collect()
    }

    pub(super) fn client_arguments(&self) -> Vec<String> {
        vec!["--tls".into(), "--cacert".into(), self.path("authority.pem")]
    }

    fn path(&self, file: &str) -> String {
        let path: PathBuf = self.folder.path().join(file);
        path.to_str().expect("a temporary folder has a name in UTF-8").to_owned()
    }
}

/// With a name of its own: a certificate that is named as its issuer counts as self-signed.
fn named(name: &str, hosts: Vec<String>) -> CertificateParams {
    let mut certificate = CertificateParams::new(hosts).unwrap();
    certificate.distinguished_name.push(DnType::CommonName, name);
    certificate
}
