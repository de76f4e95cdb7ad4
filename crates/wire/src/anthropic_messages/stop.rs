//! Why an answer ended, in the dialect's words.

use std::borrow::Cow;

use gatewright::FinishReason;

/// What a word means; `string` is the stop string that was met.
pub(super) fn read(word: &str, string: Option<String>) -> FinishReason {
    match word {
        "end_turn" => FinishReason::Stop,
        "max_tokens" => FinishReason::Length,
        "stop_sequence" => FinishReason::StopString(string),
        "tool_use" => FinishReason::ToolCalls,
        "pause_turn" => FinishReason::Paused,
        "refusal" => FinishReason::ContentFilter,
        "model_context_window_exceeded" => FinishReason::ContextFull,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// What the content of an answer says about its end. Some providers say no more than that it ended.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// A tool is called.
    pub(super) calls: bool,
    /// The model declined.
    pub(super) refusal: bool,
}

/// The word for a reason, and the stop string that was met.
///
/// A natural end is told apart by what the answer has; a malformed call ends the turn, because the dialect has no
/// word for it.
pub(super) fn word(reason: Option<&FinishReason>, seen: Seen) -> (&'static str, Option<Cow<'_, str>>) {
    let natural = match seen {
        Seen { calls: true, .. } => "tool_use",
        Seen { refusal: true, .. } => "refusal",
        Seen { .. } => "end_turn",
    };
    match reason {
        Some(FinishReason::Length) => ("max_tokens", None),
        Some(FinishReason::ToolCalls) => ("tool_use", None),
        Some(FinishReason::ContentFilter) => ("refusal", None),
        Some(FinishReason::StopString(string)) => ("stop_sequence", string.as_deref().map(Cow::Borrowed)),
        Some(FinishReason::ContextFull) => ("model_context_window_exceeded", None),
        Some(FinishReason::Paused) => ("pause_turn", None),
        Some(FinishReason::MalformedCall) => ("end_turn", None),
        _ => (natural, None),
    }
}
