//! Why an answer ended, in the dialect's words.

use gatewright::FinishReason;

/// What a word means. `calls` says whether the answer calls tools, for which the dialect has no word of its own.
pub(super) fn read(word: &str, calls: bool) -> FinishReason {
    match word {
        "STOP" if calls => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION"
        | "MODEL_ARMOR" => FinishReason::ContentFilter,
        "MALFORMED_FUNCTION_CALL" | "UNEXPECTED_TOOL_CALL" => FinishReason::MalformedCall,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// The word for a reason.
pub(super) const fn word(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop | FinishReason::StopString(_) | FinishReason::ToolCalls | FinishReason::Paused => {
            "STOP"
        }
        FinishReason::Length | FinishReason::ContextFull => "MAX_TOKENS",
        FinishReason::ContentFilter => "SAFETY",
        FinishReason::MalformedCall => MALFORMED_CALL,
        _ => "OTHER",
    }
}

/// The word for an answer that calls a tool in a way that nobody can read.
pub(super) const MALFORMED_CALL: &str = "MALFORMED_FUNCTION_CALL";
