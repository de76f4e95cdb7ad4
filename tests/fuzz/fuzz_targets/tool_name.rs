//! Any text as the name of a tool in each dialect.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::tool_name::check(data));
