//! What the dialect calls parameters and places.

use gatewright::chat::{Param, Place};

use crate::document::pointer::below;

/// The message index of parts that stand in `instructions` and so in no item of the input.
pub(super) const INSTRUCTIONS: u32 = u32::MAX;

/// Members whose values travel as they are written.
pub(super) const SETTINGS: [(&str, Param); 9] = [
    ("top_logprobs", Param::TopLogprobs),
    ("user", Param::EndUser),
    ("safety_identifier", Param::EndUser),
    ("metadata", Param::Metadata),
    ("service_tier", Param::ServiceTier),
    ("prompt_cache_key", Param::CacheKey),
    ("prompt_cache_retention", Param::CacheRetention),
    ("store", Param::Store),
    ("truncation", Param::Truncation),
];

/// The path of a parameter; none if the dialect has none.
pub(super) fn path(param: Param) -> Option<&'static str> {
    Some(match param {
        Param::OutputCap => "/max_output_tokens",
        Param::Temperature => "/temperature",
        Param::TopP => "/top_p",
        Param::ParallelTools => "/parallel_tool_calls",
        Param::ToolChoice => "/tool_choice",
        Param::Reasoning => "/reasoning",
        Param::Format => "/text/format",
        Param::Verbosity => "/text/verbosity",
        Param::System => "/instructions",
        Param::Logprobs => "/include",
        Param::TopLogprobs => "/top_logprobs",
        Param::EndUser => "/user",
        Param::Metadata => "/metadata",
        Param::ServiceTier => "/service_tier",
        Param::CacheKey => "/prompt_cache_key",
        Param::CacheRetention => "/prompt_cache_retention",
        Param::Store => "/store",
        Param::Truncation => "/truncation",
        _ => return None,
    })
}

/// The RFC 6901 pointer of a place.
pub(super) fn pointer(place: &Place<'_>) -> String {
    match place {
        Place::Param(param) => path(*param).unwrap_or_default().to_owned(),
        Place::Part(origin) if origin.message == INSTRUCTIONS => "/instructions".to_owned(),
        Place::Part(origin) => match origin.part {
            Some(part) => format!("/input/{}/content/{part}", origin.message),
            None => format!("/input/{}", origin.message),
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
