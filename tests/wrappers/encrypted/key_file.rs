//! Keys from a file.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use abide::Config;
use abide::wrappers::KeyRing;

use super::ring;

/// A file of this test alone, open to its owner alone.
fn file(name: &str, text: impl AsRef<[u8]>) -> PathBuf {
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("wrappers-{name}-keys"));
    fs::write(&path, text).unwrap();
    allow(&path, 0o600);
    path
}

fn allow(path: &PathBuf, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn hex(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

/// Which keys a ring has, in order.
fn ids(ring: &KeyRing) -> String {
    format!("{ring:?}")
}

/// What is wrong with a file of this text; its name is left out.
fn wrong(name: &str, text: impl AsRef<[u8]>) -> String {
    let path = file(name, text);
    let error = KeyRing::from_file(&path).unwrap_err();
    let shown = format!("{error} {error:?}");
    for byte in [1, 2, 3] {
        let key = hex(byte);
        assert!(!shown.contains(&key[..8]) && !shown.contains(&key.to_uppercase()[..8]), "{shown}");
    }
    let named = format!("encryption_key_file {}", path.display());
    error.to_string().strip_prefix(&named).expect("the file's name").to_owned()
}

#[test]
fn the_first_key_of_a_file_encrypts_and_the_others_decrypt() {
    let text = format!(
        "# the keys\n\n  {}\r\n{}\n#{}\n{}",
        hex(1),
        hex(0xAB).to_uppercase(),
        hex(9),
        "A".repeat(43)
    );
    let keys = KeyRing::from_file(file("good", text)).unwrap();
    assert_eq!(ids(&keys), ids(&ring([1, 0xAB, 0])));
}

#[test]
fn a_line_that_is_no_key_is_refused_by_its_number() {
    let short = &hex(2)[..62];
    assert_eq!(
        wrong("short", format!("{}\n# and\n{short}\n", hex(1))),
        ", line 3: 62 characters, expected 64 of hex or 43 of base64url"
    );
    let not_hex = format!("{}zz", &hex(2)[..62]);
    assert_eq!(wrong("not-hex", not_hex), ", line 1: not a key, expected hex or base64url");
    let not_base64url = format!("{}+", "A".repeat(42));
    assert_eq!(wrong("not-base64", not_base64url), ", line 1: not a key, expected hex or base64url");
    assert!(wrong("bytes", [0xFF; 64]).starts_with(", line 1: not a key"));
}

#[test]
fn a_key_that_stands_twice_is_refused_by_both_numbers() {
    let text = format!("{}\n{}\n{}\n", hex(1), hex(2), hex(1).to_uppercase());
    assert_eq!(wrong("twice", text), ", line 3: the key of line 1 stands here again");
}

#[test]
fn a_file_without_a_key_is_refused() {
    assert_eq!(wrong("empty", ""), " holds no key, expected one a line");
    assert_eq!(wrong("comments", "# later\n\n"), " holds no key, expected one a line");
    assert!(wrong("large", "#".repeat(70_000)).contains("is larger than 65536 bytes"));
}

#[test]
fn a_file_that_others_may_read_or_write_is_refused() {
    let path = file("open", hex(1));
    for mode in [0o640, 0o604, 0o620, 0o660, 0o601] {
        allow(&path, mode);
        let error = KeyRing::from_file(&path).unwrap_err().to_string();
        assert!(error.ends_with(&format!("(mode {mode:04o}), expected mode 0600 or 0400")), "{error}");
    }
    allow(&path, 0o400);
    assert_eq!(ids(&KeyRing::from_file(&path).unwrap()), ids(&ring([1])));
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let error = KeyRing::from_file("no/such/file").unwrap_err();
    assert!(error.to_string().starts_with("encryption_key_file no/such/file cannot be read: "), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    let directory = KeyRing::from_file(env!("CARGO_TARGET_TMPDIR")).unwrap_err().to_string();
    assert!(directory.starts_with("encryption_key_file "), "{directory}");
}

#[tokio::test]
async fn sessions_do_not_open_with_a_key_file_that_is_wrong() {
    let path = file("wrong", "nonsense");
    let config = Config::new().encryption_key_file(path.to_str().unwrap());
    let error = config.open().await.unwrap_err().to_string();
    assert!(error.ends_with(", line 1: 8 characters, expected 64 of hex or 43 of base64url"), "{error}");
}
