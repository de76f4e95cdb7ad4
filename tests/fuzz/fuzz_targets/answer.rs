//! Any bytes as a whole answer of each dialect, and what is read as an answer of each other.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::answer::check(data));
