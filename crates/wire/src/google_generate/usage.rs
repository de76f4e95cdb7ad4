//! The dialect's usage object to canonical usage and back.
//!
//! The dialect counts cached tokens among those of the prompt, and reasoning and the prompt of tools that the provider
//! ran apart from everything else.

use gatewright::Usage;

use crate::json::{JsonError, Kind, ObjectWriter, Reader, Value};

/// The figures as they stand there. One that is a number and no whole one from 0 makes the report unbelievable as a
/// whole; anything else of that kind is as good as absent.
#[derive(Debug, Default)]
struct Figures {
    prompt: Option<u64>,
    candidates: Option<u64>,
    thoughts: u64,
    tool_prompt: u64,
    cached: u64,
    prompt_audio: u64,
    candidates_audio: u64,
    is_unbelievable: bool,
}

/// Reads a usage object; none if it has no figures.
pub(super) fn read(value: &Value<'_>) -> Result<Option<Usage>, JsonError> {
    let mut figures = Figures::default();
    Reader::of(value).object(|reader, key| {
        let value = reader.value()?;
        match key.bytes().as_ref() {
            b"promptTokenCount" => figures.prompt = figures.believed(&value),
            b"candidatesTokenCount" => figures.candidates = figures.believed(&value),
            b"thoughtsTokenCount" => figures.thoughts = figures.believed(&value).unwrap_or(0),
            b"toolUsePromptTokenCount" => figures.tool_prompt = figures.believed(&value).unwrap_or(0),
            b"cachedContentTokenCount" => figures.cached = figures.believed(&value).unwrap_or(0),
            b"promptTokensDetails" => figures.prompt_audio = audio(&value),
            b"candidatesTokensDetails" => figures.candidates_audio = audio(&value),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    Ok(figures.usage())
}

fn audio(details: &Value<'_>) -> u64 {
    let of_audio = details.elements().filter(|detail| {
        detail.get("modality").and_then(|modality| modality.as_str()).is_some_and(|word| word == "AUDIO")
    });
    let counts = of_audio.filter_map(|detail| detail.get("tokenCount")?.as_u64());
    counts.fold(0, u64::saturating_add)
}

impl Figures {
    fn believed(&mut self, value: &Value<'_>) -> Option<u64> {
        let count = value.as_u64();
        self.is_unbelievable |= count.is_none() && value.kind() == Kind::Number;
        count
    }

    fn usage(&self) -> Option<Usage> {
        if self.is_unbelievable || (self.prompt.is_none() && self.candidates.is_none()) {
            return None;
        }
        let prompt = self.prompt.unwrap_or(0).saturating_add(self.tool_prompt);
        let output = self.candidates.unwrap_or(0).saturating_add(self.thoughts);
        let cache_read = self.cached.min(prompt);
        Some(Usage {
            input: prompt - cache_read,
            cache_read,
            output,
            reasoning: self.thoughts,
            input_audio: self.prompt_audio.min(prompt),
            output_audio: self.candidates_audio.min(output),
            ..Usage::default()
        })
    }
}

/// Appends a usage object. What was written to a cache is part of the prompt: the dialect has no figure for it.
pub(super) fn write(usage: &Usage, out: &mut Vec<u8>) {
    let visible = usage.output.saturating_sub(usage.reasoning);
    let mut object = ObjectWriter::open(out);
    object.number("promptTokenCount", usage.prompt_tokens());
    object.number("candidatesTokenCount", visible);
    if usage.reasoning > 0 {
        object.number("thoughtsTokenCount", usage.reasoning);
    }
    object.number("totalTokenCount", usage.total_tokens());
    if usage.cache_read > 0 {
        object.number("cachedContentTokenCount", usage.cache_read);
    }
    details(&mut object, "promptTokensDetails", usage.prompt_tokens(), usage.input_audio);
    details(&mut object, "candidatesTokensDetails", visible, usage.output_audio);
    object.close();
}

fn details(object: &mut ObjectWriter<'_>, key: &str, all: u64, audio: u64) {
    if audio > 0 {
        let text = all.saturating_sub(audio);
        let list = format!(
            r#"[{{"modality":"TEXT","tokenCount":{text}}},{{"modality":"AUDIO","tokenCount":{audio}}}]"#
        );
        object.raw(key, &list);
    }
}
