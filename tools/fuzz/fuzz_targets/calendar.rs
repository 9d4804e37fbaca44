#![no_main]
//! See `fuzz::calendar`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::calendar(data));
