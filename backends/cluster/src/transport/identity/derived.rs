//! An authority that follows from a secret.
//!
//! **Invariant.** The same secret and the same name give an authority of the same name and key in every process of every
//! version; another secret or another name gives another one.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose,
    PKCS_ED25519, PublicKeyData, SerialNumber, SignatureAlgorithm, SigningKey,
};
use ring::hkdf::{HKDF_SHA256, Salt};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use zeroize::Zeroizing;

use super::{IdentityError, Parts, Secret};
use crate::transport::ClusterName;

const SALT: &[u8] = b"abide cluster";
const LABEL: &[u8] = b"certificate authority, Ed25519, 1";

/// The authority's key. Its certificate is made anew by every process, and forgotten when it has issued one.
struct AuthorityKey(Ed25519KeyPair);

impl PublicKeyData for AuthorityKey {
    fn der_bytes(&self) -> &[u8] {
        self.0.public_key().as_ref()
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl SigningKey for AuthorityKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        Ok(self.0.sign(message).as_ref().to_vec())
    }
}

pub(super) fn parts(secrets: &[Secret], cluster: &ClusterName) -> Result<Parts, IdentityError> {
    let (first, others) = secrets
        .split_first()
        .ok_or_else(|| IdentityError::new("there is no secret, expected one or more"))?;
    let issuer = authority(first, cluster).map_err(not_made)?;
    let (certificate, key) = issue(&issuer, cluster).map_err(not_made)?;
    let mut authorities = vec![issuer.der().clone()];
    for secret in others {
        authorities.push(authority(secret, cluster).map_err(not_made)?.der().clone());
    }
    Ok(Parts { authorities, chain: vec![certificate], key })
}

fn authority(
    secret: &Secret,
    cluster: &ClusterName,
) -> Result<CertifiedIssuer<'static, AuthorityKey>, rcgen::Error> {
    let key = AuthorityKey(key_of(secret, cluster).ok_or(rcgen::Error::CouldNotParseKeyPair)?);
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("authority of the cluster {cluster}"));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.serial_number = Some(SerialNumber::from(1_u64));
    CertifiedIssuer::self_signed(params, key)
}

fn key_of(secret: &Secret, cluster: &ClusterName) -> Option<Ed25519KeyPair> {
    let mut seed = Zeroizing::new([0; 32]);
    let extracted = Salt::new(HKDF_SHA256, SALT).extract(secret.as_bytes());
    let info = [LABEL, cluster.as_str().as_bytes()];
    extracted.expand(&info, HKDF_SHA256).ok()?.fill(&mut *seed).ok()?;
    Ed25519KeyPair::from_seed_unchecked(&*seed).ok()
}

/// A certificate for this process. Its dates are wide: it lives as long as the process, and a clock that is off would
/// otherwise look like a wrong secret.
fn issue(
    issuer: &CertifiedIssuer<'static, AuthorityKey>,
    cluster: &ClusterName,
) -> Result<(CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let key = KeyPair::generate_for(&PKCS_ED25519)?;
    let mut params = CertificateParams::new(vec![cluster.as_str().to_owned()])?;
    params.distinguished_name.push(DnType::CommonName, format!("member of the cluster {cluster}"));
    let certificate = params.signed_by(&key, issuer)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((certificate.der().clone(), key))
}

fn not_made(error: rcgen::Error) -> IdentityError {
    IdentityError::new("no certificate could be made from the secret").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(secret: u8, name: &str) -> Vec<u8> {
        let secret = Secret::from_bytes(&[secret; 32]).unwrap();
        key_of(&secret, &ClusterName::new(name).unwrap()).unwrap().public_key().as_ref().to_vec()
    }

    #[test]
    fn one_secret_and_name_give_one_authority_and_any_other_gives_another() {
        assert_eq!(key(1, "shop"), key(1, "shop"));
        assert_ne!(key(1, "shop"), key(2, "shop"));
        assert_ne!(key(1, "shop"), key(1, "shop2"));
    }

    /// Computed with another implementation: HKDF-SHA256 of 32 bytes of seven, then the public half of the seed.
    #[test]
    fn the_derivation_is_part_of_the_protocol_and_stays_what_it_is() {
        let public = base16ct::lower::encode_string(&key(7, "shop"));
        assert_eq!(
            public, "ebf3d859874d51a3721d351178070a1546cf854eb8d77792f4735180cb760e11",
            "peers of another version would refuse each other"
        );
    }
}
