//! See `abide_fuzzing::snapshot`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| abide_fuzzing::snapshot(input));
