//! See `abide_fuzzing::record`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| abide_fuzzing::record(input));
