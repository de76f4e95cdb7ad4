//! Any bytes as a request, an answer and a stream of Ollama's own chat.

#![no_main]

use gatewright::dialect::Dialect;
use gatewright_fuzz::chat_dialect;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| chat_dialect::check(Dialect::OllamaChat, data));
