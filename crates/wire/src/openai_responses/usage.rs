//! The dialect's usage object to canonical usage and back. Cached tokens count among the input tokens, reasoning among
//! the output tokens.

use gatewright::Usage;

use crate::json::{ObjectWriter, Value};

/// Reads a usage object; none if it has no figures.
pub(super) fn read(value: &Value<'_>) -> Option<Usage> {
    let count = |path: &[&str]| value.at(path).and_then(|count| count.as_u64());
    let (input, output) = (count(&["input_tokens"]), count(&["output_tokens"]));
    if input.is_none() && output.is_none() {
        return None;
    }
    let (input, output) = (input.unwrap_or(0), output.unwrap_or(0));
    let cache_read = count(&["input_tokens_details", "cached_tokens"]).unwrap_or(0).min(input);
    let written = count(&["input_tokens_details", "cache_write_tokens"]).unwrap_or(0);
    let cache_write = written.min(input - cache_read);
    Some(Usage {
        input: input - cache_read - cache_write,
        cache_read,
        cache_write,
        output,
        reasoning: count(&["output_tokens_details", "reasoning_tokens"]).unwrap_or(0).min(output),
        ..Usage::default()
    })
}

/// Appends a usage object.
pub(super) fn write(usage: &Usage, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    object.number("input_tokens", usage.prompt_tokens());
    let mut details = object.object("input_tokens_details");
    details.number("cached_tokens", usage.cache_read);
    details.number("cache_write_tokens", usage.cache_write.saturating_add(usage.cache_write_1h));
    details.close();
    object.number("output_tokens", usage.output);
    let mut details = object.object("output_tokens_details");
    details.number("reasoning_tokens", usage.reasoning);
    details.close();
    object.number("total_tokens", usage.total_tokens());
    object.close();
}
