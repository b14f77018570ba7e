//! See `abide_fuzzing::message`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| abide_fuzzing::message(input));
