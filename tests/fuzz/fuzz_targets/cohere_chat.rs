//! Any bytes as a request, an answer and a stream of Cohere's chat.

#![no_main]

use gatewright::dialect::Dialect;
use gatewright_fuzz::chat_dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| chat_dialect::check(Dialect::CohereChat, data));
