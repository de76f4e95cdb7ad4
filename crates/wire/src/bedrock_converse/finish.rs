//! Why an answer ended, in the dialect's words.

use std::borrow::Cow;

use gatewright::FinishReason;

const CONTENT_FILTERED: &str = "content_filtered";
const MALFORMED_TOOL_USE: &str = "malformed_tool_use";
const MALFORMED_OUTPUT: &str = "malformed_model_output";
const CONTEXT_FULL: &str = "model_context_window_exceeded";

/// The reason that a word stands for.
pub(super) fn read(word: &str) -> FinishReason {
    match word {
        "end_turn" => FinishReason::Stop,
        "stop_sequence" => FinishReason::StopString(None),
        "tool_use" => FinishReason::ToolCalls,
        "max_tokens" => FinishReason::Length,
        CONTEXT_FULL => FinishReason::ContextFull,
        CONTENT_FILTERED | "guardrail_intervened" => FinishReason::ContentFilter,
        MALFORMED_TOOL_USE => FinishReason::MalformedCall,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// The word for a reason. `has_calls` tells whether the answer calls tools, which some providers do not say here.
pub(super) fn word(reason: &FinishReason, has_calls: bool) -> Cow<'static, str> {
    Cow::Borrowed(match reason {
        FinishReason::Stop if has_calls => "tool_use",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::StopString(_) => "stop_sequence",
        FinishReason::Length => "max_tokens",
        FinishReason::ContextFull => CONTEXT_FULL,
        FinishReason::ContentFilter => CONTENT_FILTERED,
        FinishReason::MalformedCall => MALFORMED_TOOL_USE,
        FinishReason::Other(word) if word == MALFORMED_OUTPUT => MALFORMED_OUTPUT,
        // Clients take only words that they know; what is left has ended in some way of its own.
        _ => "end_turn",
    })
}
