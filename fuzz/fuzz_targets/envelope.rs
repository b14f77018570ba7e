//! See `abide_fuzzing::envelope`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| abide_fuzzing::envelope(input));
