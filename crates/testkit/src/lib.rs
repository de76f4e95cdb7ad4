//! What we and extension authors test with.
//!
//! [`provider`] simulates the far end: a real listener that is told what to do, down to the byte.

pub mod provider;
