#![no_main]
//! See `fuzz::proration`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::proration(data));
