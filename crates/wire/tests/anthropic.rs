//! The Anthropic Messages dialect.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

#[path = "anthropic/answers.rs"]
mod answers;
#[path = "anthropic/properties.rs"]
mod properties;
#[path = "anthropic/requests.rs"]
mod requests;
#[path = "anthropic/streams.rs"]
mod streams;
#[path = "anthropic/support.rs"]
mod support;
#[path = "anthropic/translation.rs"]
mod translation;
#[path = "anthropic/written_streams.rs"]
mod written_streams;
