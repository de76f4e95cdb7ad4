//! Why an answer ended, in the dialect's words.

use gatewright::FinishReason;

/// What a word means. `calls` says whether the answer calls tools, for which the dialect has no word of its own.
/// Older servers say no more than that the answer is done.
pub(super) fn read(word: &str, calls: bool) -> FinishReason {
    match word {
        "stop" | "tool_calls" | "true" if calls => FinishReason::ToolCalls,
        "stop" | "true" => FinishReason::Stop,
        "length" => FinishReason::Length,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// The word for a reason.
pub(super) const fn word(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::Length | FinishReason::ContextFull => "length",
        _ => "stop",
    }
}
