//! The dialect's usage object to canonical usage and back.
//!
//! It tells twice what was consumed: in tokens, and in the tokens that are billed, which do without those that the
//! service adds. The latter count, because they are what is paid for.

use gatewright::Usage;

use crate::json::{Kind, ObjectWriter, Value};

/// Reads a usage object; none if it has no figures, or one of them cannot be.
pub(super) fn read(value: &Value<'_>) -> Option<Usage> {
    let [billed, tokens, cached] = value.pick(["billed_units", "tokens", "cached_tokens"]);
    let [input, output] = billed.and_then(figures).or_else(|| tokens.and_then(figures))?;
    let total = |figure: Option<Value<'_>>| figure.map_or(Some(0), |figure| count(&figure));
    let (input, output) = (total(input)?, total(output)?);
    let cache_read = cached.and_then(|cached| count(&cached)).unwrap_or(0).min(input);
    Some(Usage { input: input - cache_read, cache_read, output, ..Usage::default() })
}

/// The figures of an object, if it has one.
fn figures(object: Value<'_>) -> Option<[Option<Value<'_>>; 2]> {
    let figures = object.pick(["input_tokens", "output_tokens"]);
    let figures = figures.map(|figure| figure.filter(|figure| figure.kind() == Kind::Number));
    figures.iter().any(Option::is_some).then_some(figures)
}

/// A figure, which may be written with an empty fraction.
fn count(figure: &Value<'_>) -> Option<u64> {
    figure.as_u64().or_else(|| {
        let text = std::str::from_utf8(figure.raw()).ok().filter(|_| figure.kind() == Kind::Number)?;
        let (whole, fraction) = text.split_once('.')?;
        fraction.bytes().all(|digit| digit == b'0').then(|| whole.parse().ok())?
    })
}

/// Writes a usage object.
pub(super) fn write(usage: &Usage, out: &mut Vec<u8>) {
    let mut object = ObjectWriter::open(out);
    for key in ["billed_units", "tokens"] {
        let mut figures = object.object(key);
        figures.number("input_tokens", usage.prompt_tokens());
        figures.number("output_tokens", usage.output);
        figures.close();
    }
    if usage.cache_read > 0 {
        object.number("cached_tokens", usage.cache_read);
    }
    object.close();
}
