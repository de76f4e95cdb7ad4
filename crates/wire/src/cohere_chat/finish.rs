//! Why an answer ended, in the dialect's words.

use gatewright::FinishReason;

/// What a word means. `calls` says whether the answer calls tools.
pub(super) fn read(word: &str, calls: bool) -> FinishReason {
    match word {
        "COMPLETE" if calls => FinishReason::ToolCalls,
        "COMPLETE" => FinishReason::Stop,
        "STOP_SEQUENCE" => FinishReason::StopString(None),
        "MAX_TOKENS" => FinishReason::Length,
        "TOOL_CALL" => FinishReason::ToolCalls,
        "ERROR_TOXIC" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// Whether a word says that the answer failed.
pub(super) fn is_failure(word: &str) -> bool {
    matches!(word, ERROR | "TIMEOUT")
}

/// The word for a failure.
pub(super) const ERROR: &str = "ERROR";

/// The word for a reason. `calls` says whether the answer calls tools, which some providers do not say here.
pub(super) const fn word(reason: &FinishReason, calls: bool) -> &'static str {
    match reason {
        FinishReason::ToolCalls => "TOOL_CALL",
        FinishReason::StopString(_) => "STOP_SEQUENCE",
        FinishReason::Length | FinishReason::ContextFull => "MAX_TOKENS",
        FinishReason::ContentFilter | FinishReason::MalformedCall => ERROR,
        _ if calls => "TOOL_CALL",
        _ => "COMPLETE",
    }
}
