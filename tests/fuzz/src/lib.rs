//! What must hold for any input, one module per fuzz target.
//!
//! Plain functions, so that the property tests of the crates under test run the same checks without a fuzzer:
//! they include these files by path.

pub mod json_scan;
pub mod sse_decoder;
pub mod web_socket;
