#![no_main]
//! See `fuzz::money`.

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::money(data));
