//! A certificate authority made for one test, and a certificate of it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tempfile::TempDir;

/// An authority and a certificate of it, in a folder that goes with the last clone.
#[derive(Clone, Debug)]
pub struct Certificates {
    folder: Arc<TempDir>,
    names: Vec<String>,
}

impl Certificates {
    /// For a server on this machine.
    ///
    /// # Panics
    ///
    /// Where the temporary folder cannot be written.
    #[must_use]
    pub fn make() -> Self {
        Self::of(&["127.0.0.1", "localhost"])
    }

    /// For the servers of a cluster of the usual name.
    ///
    /// # Panics
    ///
    /// Where the temporary folder cannot be written.
    #[must_use]
    pub fn of_cluster() -> Self {
        Self::of(&["abide"])
    }

    fn of(names: &[&str]) -> Self {
        let folder = tempfile::Builder::new().prefix("abide-tls-").tempdir().unwrap();
        let names = names.iter().map(|name| (*name).to_owned()).collect();
        let made = Self { folder: Arc::new(folder), names };
        made.renew();
        made
    }

    /// Puts others in their place, of another authority.
    ///
    /// # Panics
    ///
    /// Where the files cannot be written.
    pub fn renew(&self) {
        let mut authority = named("authority of a test", Vec::new());
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let server = named("server of a test", self.names.clone()).signed_by(&key, &authority).unwrap();
        std::fs::write(self.path("authority.pem"), authority.pem()).unwrap();
        std::fs::write(self.path("server.pem"), server.pem()).unwrap();
        std::fs::write(self.path("server.key"), key.serialize_pem()).unwrap();
        std::fs::set_permissions(self.path("server.key"), Permissions::from_mode(0o600)).unwrap();
    }

    /// Puts a file that is no certificate in the certificate's place, and answers what was there.
    ///
    /// # Panics
    ///
    /// Where the file cannot be written.
    #[must_use]
    pub fn spoil(&self) -> Vec<u8> {
        let was = std::fs::read(self.path("server.pem")).unwrap();
        std::fs::write(self.path("server.pem"), "nothing").unwrap();
        was
    }

    /// Puts a certificate back.
    ///
    /// # Panics
    ///
    /// Where the file cannot be written.
    pub fn mend(&self, certificate: &[u8]) {
        std::fs::write(self.path("server.pem"), certificate).unwrap();
    }

    /// The options of a cluster's URL that name them.
    #[must_use]
    pub fn cluster_options(&self) -> String {
        let [ca, cert, key] = ["authority.pem", "server.pem", "server.key"].map(|file| self.path(file));
        format!("ca={ca}&cert={cert}&key={key}")
    }

    /// The authority's certificate, as PEM.
    ///
    /// # Panics
    ///
    /// Where the file cannot be read.
    #[must_use]
    pub fn authority(&self) -> String {
        std::fs::read_to_string(self.path("authority.pem")).unwrap()
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
