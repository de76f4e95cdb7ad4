//! The dialect's usage object to canonical usage and back.
//!
//! The dialect counts prompt tokens that were read from a cache or written to one apart from the others, and
//! reasoning among the output tokens. In a stream the figures come in pieces, of which later ones replace earlier
//! ones.

use gatewright::Usage;

use crate::json::{Kind, ObjectWriter, Value};

/// The figures that have come so far. A number that is no whole one from 0 makes the report unbelievable as a whole;
/// anything else of that kind is as good as absent.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct Figures {
    input: Option<u64>,
    output: Option<u64>,
    cache_read: Option<u64>,
    cache_written: Option<u64>,
    written_5m: Option<u64>,
    written_1h: Option<u64>,
    reasoning: Option<u64>,
    is_unbelievable: bool,
}

/// Reads a whole usage object; none if it has no figures.
pub(super) fn read(value: &Value<'_>) -> Option<Usage> {
    let mut figures = Figures::default();
    figures.add(value);
    figures.usage()
}

impl Figures {
    /// Takes over what an object says.
    pub(super) fn add(&mut self, value: &Value<'_>) {
        let keys = [
            "input_tokens",
            "output_tokens",
            "cache_read_input_tokens",
            "cache_creation_input_tokens",
            "cache_creation",
            "output_tokens_details",
        ];
        let [input, output, cache_read, cache_written, split, details] = value.pick(keys);
        self.take(input, |figures| &mut figures.input);
        self.take(output, |figures| &mut figures.output);
        self.take(cache_read, |figures| &mut figures.cache_read);
        self.take(cache_written, |figures| &mut figures.cache_written);
        if let Some(split) = split {
            let [short, hour] = split.pick(["ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"]);
            self.take(short, |figures| &mut figures.written_5m);
            self.take(hour, |figures| &mut figures.written_1h);
        }
        if let Some(details) = details {
            self.take(details.get("thinking_tokens"), |figures| &mut figures.reasoning);
        }
    }

    fn take(&mut self, value: Option<Value<'_>>, place: fn(&mut Self) -> &mut Option<u64>) {
        let Some(value) = value.filter(|value| value.kind() == Kind::Number) else { return };
        match value.as_u64() {
            Some(count) => *place(self) = Some(count),
            None => self.is_unbelievable = true,
        }
    }

    /// What they come to.
    pub(super) fn usage(&self) -> Option<Usage> {
        if self.is_unbelievable || (self.input.is_none() && self.output.is_none()) {
            return None;
        }
        let hour = self.written_1h.unwrap_or(0);
        let split = hour.saturating_add(self.written_5m.unwrap_or(0));
        let written = self.cache_written.unwrap_or(split);
        let hour = hour.min(written);
        let output = self.output.unwrap_or(0);
        Some(Usage {
            input: self.input.unwrap_or(0),
            cache_read: self.cache_read.unwrap_or(0),
            cache_write: written - hour,
            cache_write_1h: hour,
            output,
            reasoning: self.reasoning.unwrap_or(0).min(output),
            ..Usage::default()
        })
    }
}

/// Appends a usage object.
pub(super) fn write(usage: &Usage, out: &mut Vec<u8>) {
    write_object(usage, true, out);
}

/// Appends the usage object at the end of a stream. It tells for how long a prompt was written to a cache only where
/// that is not the usual time, because the API tells it at the beginning.
pub(super) fn write_last(usage: &Usage, out: &mut Vec<u8>) {
    write_object(usage, usage.cache_write_1h > 0, out);
}

fn write_object(usage: &Usage, with_split: bool, out: &mut Vec<u8>) {
    let written = usage.cache_write.saturating_add(usage.cache_write_1h);
    let mut object = ObjectWriter::open(out);
    object.number("input_tokens", usage.input);
    object.number("cache_creation_input_tokens", written);
    object.number("cache_read_input_tokens", usage.cache_read);
    if with_split {
        let mut split = object.object("cache_creation");
        split.number("ephemeral_5m_input_tokens", usage.cache_write);
        split.number("ephemeral_1h_input_tokens", usage.cache_write_1h);
        split.close();
    }
    object.number("output_tokens", usage.output);
    let mut details = object.object("output_tokens_details");
    details.number("thinking_tokens", usage.reasoning);
    details.close();
    object.close();
}
