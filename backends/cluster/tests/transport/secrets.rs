//! Files, and what is never shown.

use std::fs;
use std::path::Path;

use abide_cluster::transport::{ClusterName, Identity, PemFiles, Secret, Settings};

use crate::node::{identity, member};
use crate::strangers::Authority;

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_secret_is_made_for_its_owner_alone_and_never_overwritten() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    Secret::create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert_eq!(text.trim().len(), 64);
    assert!(Secret::create(&path).is_err());
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
    let other = folder.path().join("other");
    Secret::create(&other).unwrap();
    assert_ne!(fs::read_to_string(&other).unwrap(), text);
}

#[test]
fn files_that_others_may_read_are_refused_by_their_mode() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    Secret::create(&path).unwrap();
    for open in [0o644, 0o640, 0o620, 0o601] {
        mode(&path, open);
        let error = Secret::read(&path).unwrap_err().to_string();
        assert!(error.contains(&format!("mode {open:04o}")), "{error}");
    }
    mode(&path, 0o400);
    Secret::read(&path).unwrap();

    let files = Authority::new("one").files(folder.path(), &["abide"]);
    mode(&files.key, 0o640);
    let error = Identity::from_pem_files(&files, &ClusterName::default()).unwrap_err().to_string();
    assert!(error.contains("mode 0640"), "{error}");
}

#[test]
fn a_certificate_that_peers_would_refuse_is_refused_at_start() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (Authority::new("one"), Authority::new("two"));
    let read = |files: &PemFiles| Identity::from_pem_files(files, &ClusterName::new("shop").unwrap());
    read(&one.files(folder.path(), &["shop"])).unwrap();
    let wrong_name = read(&one.files(folder.path(), &["abide"])).unwrap_err();
    let wrong_authority = PemFiles {
        authorities: one.files(folder.path(), &["shop"]).authorities,
        ..two.files(folder.path(), &["shop"])
    };
    let wrong_authority = read(&wrong_authority).unwrap_err();
    for error in [wrong_name, wrong_authority] {
        assert_eq!(error.to_string(), "peers would refuse the certificate");
        assert!(std::error::Error::source(&error).is_some());
    }
    let mixed =
        PemFiles { key: two.files(folder.path(), &["shop"]).key, ..one.files(folder.path(), &["shop"]) };
    assert!(read(&mixed).unwrap_err().to_string().contains("its key"));
    let missing = PemFiles { key: folder.path().join("none"), ..one.files(folder.path(), &["shop"]) };
    assert!(read(&missing).unwrap_err().to_string().contains("cannot be read"));
    let swapped = one.files(folder.path(), &["shop"]);
    let swapped = PemFiles { key: swapped.certificate.clone(), ..swapped };
    mode(&swapped.key, 0o600);
    assert!(read(&swapped).unwrap_err().to_string().contains("no private key"));
}

#[test]
fn neither_debug_nor_an_error_shows_a_secret() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let text = "5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e";
    fs::write(&path, text).unwrap();
    mode(&path, 0o600);
    let secrets = Secret::read(&path).unwrap();
    let identity = Identity::from_secrets(&secrets, &ClusterName::default()).unwrap();
    let mut settings = Settings::new(member(1, 0), 1);
    settings.identity = Some(identity.clone());
    fs::write(&path, format!("{text}\n{text}!")).unwrap();
    let error = Secret::read(&path).unwrap_err();
    for shown in [
        format!("{secrets:?}"),
        format!("{identity:?}"),
        format!("{settings:?}"),
        format!("{error:?} {error}"),
    ] {
        assert!(!shown.contains("5e5e") && !shown.contains("94, 94") && !shown.contains("rivate"), "{shown}");
    }
    assert!(format!("{:?}", self::identity(1, "shop")).contains("shop"));
}
