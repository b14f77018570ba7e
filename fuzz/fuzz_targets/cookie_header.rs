//! See `abide_fuzzing::cookie_header`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| abide_fuzzing::cookie_header(input));
