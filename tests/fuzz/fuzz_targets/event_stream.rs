//! Any bytes in any chunking as a binary event stream, and as the content of one.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::event_stream::check(data));
