//! The Anthropic Messages dialect.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

mod answers;
mod properties;
mod requests;
mod streams;
mod support;
mod translation;
mod written_streams;
