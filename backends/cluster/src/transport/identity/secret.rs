//! The secret that every process of a cluster has.
//!
//! **Invariant.** A secret has 32 bytes or more, is wiped when it goes, and is never shown.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write as _};
use std::path::Path;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::IdentityError;
use super::files::read_private;

const PADDING: GeneralPurposeConfig =
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
const BASE64: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, PADDING);
const BASE64URL: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, PADDING);

/// Random bytes that every process of a cluster has, and nobody else.
///
/// ```
/// use abide_cluster::transport::Secret;
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("secret");
/// Secret::create(&path)?;
/// let secrets = Secret::read(&path)?;
/// assert_eq!(secrets.len(), 1);
/// assert_eq!(format!("{:?}", secrets[0]), "Secret(..)");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// How many bytes it has at least.
    pub const SHORTEST: usize = 32;

    /// A secret of these bytes, which must be random: a password is none.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] where there are fewer than [`SHORTEST`](Self::SHORTEST).
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdentityError> {
        if bytes.len() < Self::SHORTEST {
            let (got, least) = (bytes.len(), Self::SHORTEST);
            return Err(IdentityError::new(format!(
                "the secret has {got} bytes, expected {least} random bytes or more"
            )));
        }
        Ok(Self(Zeroizing::new(bytes.to_vec())))
    }

    /// The secrets of a file: one a line, as hex or base64 of 32 random bytes or more; empty lines, and lines that begin
    /// with `#`, are left out. A file that is no text is one secret as it stands. `openssl rand -hex 32` makes a line,
    /// [`create`](Self::create) a file.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] for a file that cannot be read, that others than its owner may use (on Unix), that holds no
    /// secret, or one that is too short. It names the file and the line, and shows nothing of what stands there.
    pub fn read(path: impl AsRef<Path>) -> Result<Vec<Self>, IdentityError> {
        let path = path.as_ref();
        let bytes = read_private(path)?;
        parse(&bytes).map_err(|what| IdentityError::new(format!("{}: {what}", path.display())))
    }

    /// Makes a file with a fresh secret that only its owner may use.
    ///
    /// # Errors
    ///
    /// [`io::Error`] where the file is there already, which is left as it is, or cannot be written; and where the
    /// system has no randomness.
    pub fn create(path: impl AsRef<Path>) -> io::Result<()> {
        let mut bytes = Zeroizing::new([0; Self::SHORTEST]);
        getrandom::fill(&mut *bytes).map_err(io::Error::other)?;
        let mut line = Zeroizing::new(base16ct::lower::encode_string(&*bytes));
        line.push('\n');
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path)?;
        file.write_all(line.as_bytes())?;
        file.sync_all()
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

fn parse(bytes: &[u8]) -> Result<Vec<Secret>, String> {
    let is_text = bytes.iter().all(|byte| byte.is_ascii_graphic() || byte.is_ascii_whitespace());
    if !is_text {
        return Ok(vec![Secret::from_bytes(bytes).map_err(|error| error.to_string())?]);
    }
    let mut secrets = Vec::new();
    for (number, line) in (1..).zip(bytes.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if !line.is_empty() && !line.starts_with(b"#") {
            secrets.push(from_text(line).map_err(|what| format!("line {number}: {what}"))?);
        }
    }
    if secrets.is_empty() { Err("no secret, expected one a line".to_owned()) } else { Ok(secrets) }
}

/// Text has fewer random bits than characters, so it must say what it encodes.
fn from_text(line: &[u8]) -> Result<Secret, String> {
    let decoded = if line.iter().all(u8::is_ascii_hexdigit) {
        base16ct::mixed::decode_vec(line).ok()
    } else {
        BASE64.decode(line).or_else(|_| BASE64URL.decode(line)).ok()
    };
    let decoded = decoded.map(Zeroizing::new);
    let decoded = decoded.ok_or("expected 32 random bytes or more as hex or base64, no password")?;
    Secret::from_bytes(&decoded).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes_of(text: &[u8]) -> Vec<Vec<u8>> {
        parse(text).unwrap().iter().map(|secret| secret.as_bytes().to_vec()).collect()
    }

    #[test]
    fn a_secret_is_hex_or_base64_or_bytes_that_are_no_text() {
        let secret: Vec<u8> = (0..32).map(|n: u8| n.wrapping_mul(37)).collect();
        let hex = base16ct::lower::encode_string(&secret);
        assert_eq!(
            bytes_of(format!("# old and new\n{hex}\n\n{}\n", hex.to_uppercase()).as_bytes()),
            [secret.clone(), secret.clone()]
        );
        assert_eq!(bytes_of(BASE64.encode(&secret).as_bytes()), vec![secret.clone()]);
        assert_eq!(
            bytes_of(BASE64URL.encode(&secret).trim_end_matches('=').as_bytes()),
            vec![secret.clone()]
        );
        assert_eq!(bytes_of(&secret), [secret]);
    }

    #[test]
    fn what_is_shorter_than_32_random_bytes_is_refused_without_being_shown() {
        for (text, what) in [
            (&b"sesame sesame sesame sesame sesame"[..], "line 1: expected 32 random bytes"),
            (b"00112233445566778899aabbccddeeff\n", "line 1: the secret has 16 bytes"),
            (b"0011223344556677\xFF", "the secret has 17 bytes"),
            (b"# nothing\n", "no secret"),
            (b"", "no secret"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(what), "{error}");
            assert!(!error.contains("sesame") && !error.contains("0011"), "{error}");
        }
    }
}
