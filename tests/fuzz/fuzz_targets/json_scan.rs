//! Any bytes through the JSON scanner, its views and its patches.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::json_scan::check(data));
