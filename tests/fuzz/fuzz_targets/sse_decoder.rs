//! Any bytes in any chunking through the decoder of server-sent events.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::sse_decoder::check(data));
