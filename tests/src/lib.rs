//! The scenarios against the real binary stand in `scenarios`, the suites of client libraries in `clients`, the fuzz
//! targets in `fuzz`.
