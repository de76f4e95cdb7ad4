//! Any bytes in any chunking as a stream of each dialect, and what is read as a stream of each other.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::stream::check(data));
