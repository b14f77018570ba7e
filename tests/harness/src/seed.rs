//! The seed of a randomised test: printed, and chosen by whoever wants a run again.

use std::env;
use std::hash::{BuildHasher, RandomState};

/// `ABIDE_SEED`, else a new one. Prints it, so that a run that failed can be had again.
///
/// # Panics
///
/// Where `ABIDE_SEED` is no number.
pub fn seed() -> u64 {
    let seed = number("ABIDE_SEED").unwrap_or_else(|| RandomState::new().hash_one(()));
    println!("ABIDE_SEED={seed}");
    seed
}

/// `ABIDE_SEEDS`: how many seeds a test takes, else as many as usual.
///
/// # Panics
///
/// Where `ABIDE_SEEDS` is no number.
#[must_use]
pub fn seeds(usual: u64) -> u64 {
    number("ABIDE_SEEDS").unwrap_or(usual)
}

/// A number that the environment names.
pub(crate) fn number(variable: &str) -> Option<u64> {
    let text = env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, expected a number")))
}
