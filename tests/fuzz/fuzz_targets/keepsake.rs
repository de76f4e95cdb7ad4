//! Any bytes as reasoning that was kept.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::keepsake::check(data));
