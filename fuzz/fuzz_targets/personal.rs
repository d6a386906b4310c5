//! See `headcount::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| headcount::fuzz::personal(bytes));
