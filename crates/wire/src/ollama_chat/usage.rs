//! The figures of a last line to canonical usage and back. The prompt is counted with what a cache had of it; a server
//! that had all of it may leave its figure out.

use gatewright::Usage;

use crate::json::{ObjectWriter, Value};

/// The members that are figures of usage.
pub(super) const MEMBERS: [&str; 3] = ["prompt_eval_count", "prompt_eval_cached_count", "eval_count"];

/// Reads the figures of an answer; none if it has none, or one of them is no whole number from 0.
pub(super) fn read(answer: &Value<'_>) -> Option<Usage> {
    let figures = answer.pick(MEMBERS).map(|figure| figure.filter(|figure| !figure.is_null()));
    let [prompt, _, output] = figures;
    if prompt.is_none() && output.is_none() {
        return None;
    }
    let count = |figure: Option<Value<'_>>| figure.map_or(Some(0), |figure| figure.as_u64());
    let [prompt, cached, output] = figures.map(count);
    let prompt = prompt?;
    let cache_read = cached.unwrap_or(0).min(prompt);
    Some(Usage { input: prompt - cache_read, cache_read, output: output?, ..Usage::default() })
}

/// Writes the figures as members of an answer.
pub(super) fn write(usage: &Usage, object: &mut ObjectWriter<'_>) {
    object.number("prompt_eval_count", usage.prompt_tokens());
    if usage.cache_read > 0 {
        object.number("prompt_eval_cached_count", usage.cache_read);
    }
    object.number("eval_count", usage.output);
}
