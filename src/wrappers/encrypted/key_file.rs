//! A ring from a file.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use zeroize::Zeroizing;

use super::{EncryptionKey, KeyRing};
use crate::config::ConfigError;

/// Far above any ring.
const LARGEST: u64 = 64 * 1024;
const HEX: usize = 2 * EncryptionKey::LENGTH;
const BASE64URL: usize = 43;

impl KeyRing {
    /// The keys of a file: one a line, 32 bytes as 64 characters of hex or 43 of base64url. The first one encrypts, the
    /// others decrypt. Empty lines, and lines that begin with `#`, are left out.
    ///
    /// `openssl rand -hex 32` makes a line. On Unix the file must be readable by its owner alone, for whoever reads it
    /// reads every value.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] for a file that cannot be read or that others may read, for one without a key, and for a line
    /// that is not a key or stands twice. It names the file and the line, and never shows what stands there.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, ConfigError> {
        let path = path.as_ref();
        read(path).and_then(|text| parse(&text)).map_err(|problem| {
            let error =
                ConfigError::new(format!("encryption_key_file {}{}", path.display(), problem.message));
            match problem.source {
                Some(source) => error.with_source(source),
                None => error,
            }
        })
    }
}

/// What is wrong with the file: it follows the file's name.
struct Problem {
    message: String,
    source: Option<io::Error>,
}

impl Problem {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), source: None }
    }

    fn at(line: usize, what: impl std::fmt::Display) -> Self {
        Self::new(format!(", line {line}: {what}"))
    }

    fn io(source: io::Error) -> Self {
        Self { message: format!(" cannot be read: {source}"), source: Some(source) }
    }
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Problem> {
    let file = File::open(path).map_err(Problem::io)?;
    check_access(&file)?;
    // Room for all of it, so that no copy is left behind by growing.
    let mut text = Zeroizing::new(Vec::with_capacity(LARGEST as usize + 1));
    file.take(LARGEST + 1).read_to_end(&mut text).map_err(Problem::io)?;
    if text.len() as u64 > LARGEST {
        return Err(Problem::new(format!(" is larger than {LARGEST} bytes, expected a key a line")));
    }
    Ok(text)
}

#[cfg(unix)]
fn check_access(file: &File) -> Result<(), Problem> {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = file.metadata().map_err(Problem::io)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    Err(Problem::new(format!(
        " is open to others than its owner (mode {mode:04o}), expected mode 0600 or 0400"
    )))
}

#[cfg(not(unix))]
fn check_access(_: &File) -> Result<(), Problem> {
    Ok(())
}

fn parse(text: &[u8]) -> Result<KeyRing, Problem> {
    let mut keys: Vec<(usize, EncryptionKey)> = Vec::new();
    for (number, line) in (1..).zip(text.split(|byte| *byte == b'\n')) {
        let line = line.trim_ascii();
        if line.is_empty() || line.starts_with(b"#") {
            continue;
        }
        let key = key(line).map_err(|what| Problem::at(number, what))?;
        if let Some((first, _)) = keys.iter().find(|(_, known)| known.0 == key.0) {
            return Err(Problem::at(number, format!("the key of line {first} stands here again")));
        }
        keys.push((number, key));
    }
    let mut keys = keys.into_iter().map(|(_, key)| key);
    let first = keys.next().ok_or_else(|| Problem::new(" holds no key, expected one a line"))?;
    Ok(keys.fold(KeyRing::new(first), KeyRing::and_decrypt_with))
}

fn key(line: &[u8]) -> Result<EncryptionKey, String> {
    let mut bytes = Zeroizing::new([0; EncryptionKey::LENGTH]);
    let read = match line.len() {
        HEX => base16ct::mixed::decode(line, &mut *bytes).is_ok(),
        BASE64URL => URL_SAFE_NO_PAD.decode_slice(line, &mut *bytes).is_ok(),
        other => {
            return Err(format!("{other} characters, expected {HEX} of hex or {BASE64URL} of base64url"));
        }
    };
    if read { Ok(EncryptionKey(bytes)) } else { Err("not a key, expected hex or base64url".into()) }
}
