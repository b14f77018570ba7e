//! How much a decoder may allocate.

use std::fmt;

/// What a decoded thing may take beside its bytes.
const BASE: u64 = 8 * 1024;
/// Bytes of memory for each byte of input. The worst is a list of the smallest values, which grows by doubling: 5
/// bytes of input for one of 72 bytes in the list and another 72 in the record.
const FACTOR: u64 = 80;

/// Decodes, and panics where that took more memory at once than the input's size allows: a length that the input
/// does not hold must reserve nothing.
pub(crate) fn bounded<T, E: fmt::Debug>(
    input: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Option<T> {
    bounded_by(FACTOR, input, decode)
}

/// As [`bounded`], of something whose lists have larger items: so many bytes of memory for each byte of input.
pub(crate) fn bounded_by<T, E: fmt::Debug>(
    factor: u64,
    input: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T, E>,
) -> Option<T> {
    let mut decoded = None;
    let used = allocation_counter::measure(|| decoded = decode(input).ok()).bytes_max;
    let allowed = BASE + factor * input.len() as u64;
    assert!(used <= allowed, "{used} bytes for {} bytes of input, at most {allowed}", input.len());
    decoded
}
