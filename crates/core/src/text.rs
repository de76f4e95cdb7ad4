//! Editing text while it streams.
//!
//! Text arrives in pieces whose borders mean nothing: an address may stand in three events.
//! This module owns what makes an edit of streamed text equal the edit of the whole text, for every
//! split: [`TextPatterns`] releases exactly what can no longer change, [`TextWindow`] serves any other
//! edit under a declared reach ([`HoldBack`]), and [`TextStage`] keeps one window per lane of an answer.
//!
//! It does no I/O, knows no clock and starts no task. Which lanes an answer has, when one ends, and
//! what becomes of a failure is the host's business.
//!
//! An author of a filter needs [`TextPatterns`], [`TextWindow`] and [`HoldBack`]; the host drives
//! [`TextStage`]; a test drives [`TextSession`].

mod compile;
mod fold;
mod hold;
mod json;
mod lane;
mod lane_text;
mod pattern;
mod patterns;
mod scan;
mod session;
mod sieve;
mod stage;
mod window;

#[cfg(test)]
#[expect(clippy::string_slice, reason = "tests cut texts at places that they know")]
mod tests;

pub use fold::as_read;
pub use hold::{HoldBack, Overflow};
pub use lane::{Lane, LaneKind, LaneMask, LaneName};
pub use lane_text::{Released, TextError, TextStats};
pub use pattern::{Pattern, PatternError, Replacement, escape};
pub use patterns::{MatchEdit, PatternMatch, TextPatterns};
pub use session::TextSession;
pub use stage::TextStage;
pub use window::TextWindow;
