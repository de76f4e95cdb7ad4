//! The dialect's usage object to canonical usage and back.
//!
//! Prompt tokens are counted without those that the cache read or wrote; reasoning is inside the output.

use gatewright::Usage;

use super::out::Object;
use crate::json::{Kind, Value};

/// Reads a usage object; none if it has no figures.
pub(super) fn read(value: &Value<'_>) -> Option<Usage> {
    let count = |key: &str| value.get(key).filter(|value| value.kind() == Kind::Number);
    let (input, output) = (count("inputTokens"), count("outputTokens"));
    if input.is_none() && output.is_none() {
        return None;
    }
    // A total that is no whole number from 0 makes the report unbelievable as a whole.
    let total = |value: Option<Value<'_>>| value.map_or(Some(0), |value| value.as_u64());
    let rest = |key: &str| count(key).and_then(|value| value.as_u64()).unwrap_or(0);
    let written = rest("cacheWriteInputTokens");
    let hour = written_for_an_hour(value).min(written);
    Some(Usage {
        input: total(input)?,
        cache_read: rest("cacheReadInputTokens"),
        cache_write: written - hour,
        cache_write_1h: hour,
        output: total(output)?,
        ..Usage::default()
    })
}

fn written_for_an_hour(value: &Value<'_>) -> u64 {
    let details = value.get("cacheDetails").into_iter().flat_map(|details| details.elements());
    let hours =
        details.filter(|detail| detail.get("ttl").and_then(|ttl| ttl.as_str()).as_deref() == Some("1h"));
    let tokens = hours.filter_map(|detail| detail.get("inputTokens")?.as_u64());
    tokens.fold(0, u64::saturating_add)
}

/// Writes the members of a usage object.
pub(super) fn write(usage: &Usage, object: &mut Object<'_>) {
    object.number("inputTokens", usage.input);
    object.number("outputTokens", usage.output);
    object.number("totalTokens", usage.total_tokens());
    object.number("cacheReadInputTokens", usage.cache_read);
    object.number("cacheWriteInputTokens", usage.cache_write.saturating_add(usage.cache_write_1h));
    if usage.cache_write_1h > 0 {
        let detail = |ttl: &str, tokens: u64| {
            super::out::made(|detail| {
                detail.text("ttl", ttl);
                detail.number("inputTokens", tokens);
            })
        };
        object.array("cacheDetails", &[detail("1h", usage.cache_write_1h), detail("5m", usage.cache_write)]);
    }
}
