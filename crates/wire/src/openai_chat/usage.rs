//! The dialect's usage object to canonical usage and back.
//!
//! The dialect counts cached tokens among the prompt tokens and reasoning among the completion tokens; some
//! vendors count reasoning apart, which their totals give away.

use gatewright::Usage;

use crate::json::{JsonError, Kind, Reader, Value};

/// The figures as they stand there. A total that is a number and no whole one from 0
/// makes the report unbelievable as a whole; anything else of that kind is as good as absent.
#[derive(Debug, Default)]
struct Figures {
    prompt: Option<u64>,
    completion: Option<u64>,
    total: Option<u64>,
    cached: u64,
    cache_written: u64,
    prompt_audio: u64,
    reasoning: u64,
    completion_audio: u64,
    is_unbelievable: bool,
}

/// Reads a usage object; none if it has no figures.
pub(super) fn read(value: &Value<'_>) -> Result<Option<Usage>, JsonError> {
    let mut figures = Figures::default();
    Reader::of(value).object(|reader, key| {
        match key.bytes().as_ref() {
            b"prompt_tokens" => figures.prompt = figures.believed(reader)?,
            b"completion_tokens" => figures.completion = figures.believed(reader)?,
            b"total_tokens" => figures.total = reader.value()?.as_u64(),
            b"prompt_cache_hit_tokens" => figures.cached = figures.cached.max(count(reader)?),
            b"prompt_tokens_details" => figures.prompt_details(reader)?,
            b"completion_tokens_details" => figures.completion_details(reader)?,
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(figures.usage())
}

fn count(reader: &mut Reader<'_>) -> Result<u64, JsonError> {
    Ok(reader.value()?.as_u64().unwrap_or(0))
}

impl Figures {
    fn believed(&mut self, reader: &mut Reader<'_>) -> Result<Option<u64>, JsonError> {
        let value = reader.value()?;
        let count = value.as_u64();
        self.is_unbelievable |= count.is_none() && value.kind() == Kind::Number;
        Ok(count)
    }

    fn prompt_details(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        reader.object(|reader, key| {
            match key.bytes().as_ref() {
                b"cached_tokens" => self.cached = self.cached.max(count(reader)?),
                b"cache_write_tokens" => self.cache_written = count(reader)?,
                b"audio_tokens" => self.prompt_audio = count(reader)?,
                _ => {}
            }
            Ok::<_, JsonError>(())
        })?;
        Ok(())
    }

    fn completion_details(&mut self, reader: &mut Reader<'_>) -> Result<(), JsonError> {
        reader.object(|reader, key| {
            match key.bytes().as_ref() {
                b"reasoning_tokens" => self.reasoning = count(reader)?,
                b"audio_tokens" => self.completion_audio = count(reader)?,
                _ => {}
            }
            Ok::<_, JsonError>(())
        })?;
        Ok(())
    }

    fn usage(&self) -> Option<Usage> {
        if self.is_unbelievable || (self.prompt.is_none() && self.completion.is_none()) {
            return None;
        }
        let prompt = self.prompt.unwrap_or(0);
        let mut output = self.completion.unwrap_or(0);
        let with_reasoning = output.saturating_add(self.reasoning);
        if self.total.is_some_and(|total| total == prompt.saturating_add(with_reasoning)) {
            output = with_reasoning;
        }
        let cache_read = self.cached.min(prompt);
        let cache_write = self.cache_written.min(prompt - cache_read);
        Some(Usage {
            input: prompt - cache_read - cache_write,
            cache_read,
            cache_write,
            output,
            reasoning: self.reasoning.min(output),
            input_audio: self.prompt_audio.min(prompt),
            output_audio: self.completion_audio.min(output),
            ..Usage::default()
        })
    }
}

/// Appends a usage object.
pub(crate) fn write(usage: &Usage, out: &mut Vec<u8>) {
    let text = format!(
        concat!(
            r#"{{"prompt_tokens":{},"completion_tokens":{},"total_tokens":{},"#,
            r#""prompt_tokens_details":{{"cached_tokens":{},"audio_tokens":{}}},"#,
            r#""completion_tokens_details":{{"reasoning_tokens":{},"audio_tokens":{}}}}}"#,
        ),
        usage.prompt_tokens(),
        usage.output,
        usage.total_tokens(),
        usage.cache_read,
        usage.input_audio,
        usage.reasoning,
        usage.output_audio,
    );
    out.extend_from_slice(text.as_bytes());
}
