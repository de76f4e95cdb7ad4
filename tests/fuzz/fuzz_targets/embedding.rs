//! Any bytes as a request for vectors and as an answer with some, through every dialect.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::embedding::check(data));
