//! Where random bytes come from, injected like the clock.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{Error, ErrorKind};

/// A source of random bytes.
pub trait Entropy: Send + Sync + fmt::Debug + 'static {
    /// Fills `bytes`.
    ///
    /// # Errors
    ///
    /// [`ErrorKind::Unavailable`] where the source gives nothing; then no token may be minted.
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error>;
}

/// The operating system's cryptographic random source. The one to use outside tests.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        getrandom::fill(bytes).map_err(|source| {
            Error::new(ErrorKind::Unavailable, "the system's random source failed").with_source(source)
        })
    }
}

/// Bytes that follow from a seed: for tests that replay. **Never for real tokens.**
///
/// ```
/// use abide_core::{Entropy, SeededEntropy};
///
/// let (mut a, mut b) = ([0; 40], [0; 40]);
/// SeededEntropy::new(7).fill(&mut a).unwrap();
/// SeededEntropy::new(7).fill(&mut b).unwrap();
/// assert_eq!(a, b);
/// ```
#[derive(Debug)]
pub struct SeededEntropy {
    seed: u64,
    draws: AtomicU64,
}

impl SeededEntropy {
    /// A source whose bytes follow from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, draws: AtomicU64::new(0) }
    }
}

impl Entropy for SeededEntropy {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), Error> {
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_be_bytes());
        hasher.update(&self.draws.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        hasher.finalize_xof().fill(bytes);
        Ok(())
    }
}

/// A fixed number of random bytes.
///
/// # Errors
///
/// As [`Entropy::fill`].
pub fn random_bytes<const N: usize>(entropy: &dyn Entropy) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    entropy.fill(&mut bytes)?;
    Ok(bytes)
}
