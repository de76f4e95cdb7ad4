//! What the dialect calls parameters and places.

use gatewright::RequestId;
use gatewright::chat::{Param, Place};

use crate::document::pointer::below;

/// The oldest name of the cap on output tokens.
pub(super) const LEGACY_CAP: &str = "max_tokens";

/// Members whose values travel as they are written.
pub(super) const SETTINGS: [(&str, Param); 15] = [
    ("logit_bias", Param::LogitBias),
    ("logprobs", Param::Logprobs),
    ("top_logprobs", Param::TopLogprobs),
    ("user", Param::EndUser),
    ("safety_identifier", Param::EndUser),
    ("metadata", Param::Metadata),
    ("service_tier", Param::ServiceTier),
    ("prompt_cache_key", Param::CacheKey),
    ("prompt_cache_retention", Param::CacheRetention),
    ("store", Param::Store),
    ("verbosity", Param::Verbosity),
    ("prediction", Param::Prediction),
    ("modalities", Param::Modalities),
    ("audio", Param::AudioOutput),
    ("web_search_options", Param::WebSearch),
];

/// The member that a parameter is; none if the dialect has none.
pub(super) fn member(param: Param) -> Option<&'static str> {
    let name = match param {
        Param::OutputCap => "max_completion_tokens",
        Param::Temperature => "temperature",
        Param::TopP => "top_p",
        Param::Seed => "seed",
        Param::FrequencyPenalty => "frequency_penalty",
        Param::PresencePenalty => "presence_penalty",
        Param::Stop => "stop",
        Param::Choices => "n",
        Param::ParallelTools => "parallel_tool_calls",
        Param::ToolChoice => "tool_choice",
        Param::Reasoning => "reasoning_effort",
        Param::Format => "response_format",
        Param::System => "messages",
        Param::TopK => "top_k",
        other => return SETTINGS.iter().find(|(_, param)| *param == other).map(|(name, _)| *name),
    };
    Some(name)
}

/// All members that a parameter can be. The first is the one that is written.
pub(super) fn members(param: Param) -> impl Iterator<Item = &'static str> {
    let others = SETTINGS.iter().filter(move |(_, other)| *other == param).map(|(name, _)| *name).skip(1);
    let legacy = (param == Param::OutputCap).then_some(LEGACY_CAP);
    member(param).into_iter().chain(legacy).chain(others)
}

/// The RFC 6901 pointer of a place.
pub(super) fn pointer(place: &Place<'_>) -> String {
    match place {
        Place::Param(param) => member(*param).map_or_else(String::new, |name| format!("/{name}")),
        Place::Part(origin) => match origin.part {
            Some(part) => format!("/messages/{}/content/{part}", origin.message),
            None => format!("/messages/{}", origin.message),
        },
        Place::Tool(index) => format!("/tools/{index}"),
        Place::Pointer(pointer) => pointer.clone().into_owned(),
        _ => String::new(),
    }
}

/// The pointer of a member at the top.
pub(super) fn top(key: &str) -> String {
    below("", key)
}

/// The id of an answer.
pub(crate) fn answer_id(id: &RequestId) -> String {
    format!("chatcmpl-{}", digits(id))
}

/// The id of a tool call to which its provider gave none.
pub(in crate::openai_chat) fn call_id(id: &RequestId, choice: u32, index: u32) -> String {
    format!("call_{}_{choice}_{index}", digits(id))
}

fn digits(id: &RequestId) -> &str {
    id.as_str().strip_prefix("req_").unwrap_or_default()
}

/// The word for the format of a sound.
pub(super) fn audio_format(mime: Option<&str>) -> &str {
    match mime {
        Some("audio/mpeg" | "audio/mp3") => "mp3",
        None | Some("audio/wav" | "audio/x-wav" | "audio/wave" | "audio/vnd.wave") => "wav",
        Some(other) => other.split_once('/').map_or(other, |(_, format)| format),
    }
}
