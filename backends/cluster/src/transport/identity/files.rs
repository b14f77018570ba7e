//! Certificates from PEM files, as an operator or a certificate manager writes them.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::Zeroizing;

use super::{IdentityError, Parts};

/// Far above any chain of certificates.
const LARGEST: u64 = 256 * 1024;

/// Three PEM files. The certificate must carry the cluster's name as a DNS name among its alternative names, and be good
/// for servers and clients where it says for what it is good.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFiles {
    /// Certificates of the authorities that are trusted. Two while one replaces the other.
    pub authorities: PathBuf,
    /// This process's certificate, then those between it and the authority.
    pub certificate: PathBuf,
    /// The key of the certificate. On Unix nobody but its owner may have access to it.
    pub key: PathBuf,
}

impl PemFiles {
    pub(super) fn read(&self) -> Result<Parts, IdentityError> {
        Ok(Parts {
            authorities: certificates(&self.authorities)?,
            chain: certificates(&self.certificate)?,
            key: key(&self.key)?,
        })
    }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let text = read(path, File::open(path))?;
    let read: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match read {
        Ok(found) if !found.is_empty() => Ok(found),
        _ => Err(IdentityError::new(format!("{} holds no certificate as PEM", path.display()))),
    }
}

fn key(path: &Path) -> Result<PrivateKeyDer<'static>, IdentityError> {
    let text = read_private(path)?;
    // The error is left out: it may quote a line of the file.
    PrivateKeyDer::from_pem_slice(&text)
        .map_err(|_| IdentityError::new(format!("{} holds no private key as PEM", path.display())))
}

/// What only its owner may read, refused where others may.
pub(super) fn read_private(path: &Path) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    let file = File::open(path).and_then(|file| check_access(&file).map(|open| (file, open)));
    if let Ok((_, Some(mode))) = &file {
        return Err(IdentityError::new(format!(
            "{} is open to others than its owner (mode {mode:04o}), expected mode 0600 or 0400",
            path.display()
        )));
    }
    read(path, file.map(|(file, _)| file))
}

fn read(path: &Path, file: io::Result<File>) -> Result<Zeroizing<Vec<u8>>, IdentityError> {
    // Room for all of it where it is as large as it says, so that no copy is left behind by growing.
    let read = file.and_then(|file| {
        let size = file.metadata()?.len().min(LARGEST);
        let mut bytes = Zeroizing::new(Vec::with_capacity(size as usize + 1));
        file.take(LARGEST + 1).read_to_end(&mut bytes)?;
        Ok(bytes)
    });
    let bytes = read.map_err(|error| {
        IdentityError::new(format!("{} cannot be read: {error}", path.display())).with_source(error)
    })?;
    if bytes.len() as u64 > LARGEST {
        return Err(IdentityError::new(format!("{} is larger than {LARGEST} bytes", path.display())));
    }
    Ok(bytes)
}

/// The mode of a file that others than its owner may use.
#[cfg(unix)]
fn check_access(file: &File) -> io::Result<Option<u32>> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = file.metadata()?.permissions().mode() & 0o777;
    Ok((mode & 0o077 != 0).then_some(mode))
}

#[cfg(not(unix))]
fn check_access(_: &File) -> io::Result<Option<u32>> {
    Ok(None)
}
