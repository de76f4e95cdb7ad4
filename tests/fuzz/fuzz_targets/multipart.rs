//! Any bytes in any chunking through the reader of forms.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::multipart::check(data));
