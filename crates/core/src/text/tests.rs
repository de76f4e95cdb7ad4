//! Streamed text edits as a specification. `kit` has the patterns, the texts and the ways to cut them.

mod compile;
mod exact;
mod fold;
mod json;
mod kit;
mod lanes;
mod sets;
mod sieve;
mod window;
