//! What must hold for any input, one module per fuzz target.
//!
//! Plain functions, so that the property tests of the crates under test run the same checks without a fuzzer:
//! they include these files by path.

pub mod answer;
pub mod chat_dialect;
pub mod dialect;
pub mod embedding;
pub mod event_stream;
pub mod json_scan;
pub mod keepsake;
pub mod multipart;
pub mod request;
pub mod sse_decoder;
pub mod stream;
pub mod tool_name;
pub mod web_socket;
