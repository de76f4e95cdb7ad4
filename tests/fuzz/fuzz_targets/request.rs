//! Any bytes as a request of each dialect, and what is read as a request of each other.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::request::check(data));
