#![no_main]
//! See `fuzz::form`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::form(data));
