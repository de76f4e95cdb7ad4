//! Any bytes through the reading of WebSocket messages and of the events in them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| gatewright_fuzz::web_socket::check(data));
