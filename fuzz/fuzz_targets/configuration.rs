//! See `abide_fuzzing::configuration`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| abide_fuzzing::configuration(input));
