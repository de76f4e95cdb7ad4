//! Messages of the dialect, read: those of a request, and those of an answer, which have the same form.
//!
//! Several members carry reasoning, depending on the vendor; where more than one does, they say the same, and the one
//! that has signatures counts.

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::{CacheMark, Origin, Part, PartKind, Signature};
use gatewright::dialect::Dialect;

use super::{part, tool};
use crate::json::{JsonStr, Kind, Reader, Value};

/// What is read of a message, before its role says what it means.
#[derive(Debug, Default)]
pub(super) struct Message<'a> {
    pub(super) role: Option<Cow<'a, str>>,
    pub(super) origin: Origin,
    /// The call that it answers.
    pub(super) call: Cow<'a, str>,
    pub(super) name: Option<Cow<'a, str>>,
    content: Vec<Part<'a>>,
    refusal: Option<Cow<'a, str>>,
    reasoning: Option<Cow<'a, str>>,
    thoughts: Vec<PartKind<'a>>,
    calls: Vec<Part<'a>>,
    cache: Option<CacheMark>,
}

impl<'a> Message<'a> {
    /// Reads the message at `index`; `unknown` takes the pointers of members that have no place.
    pub(super) fn read(
        reader: &mut Reader<'a>,
        index: usize,
        unknown: &mut Vec<Cow<'a, str>>,
    ) -> Result<Self, Failure> {
        let origin = Origin { message: u32::try_from(index).unwrap_or(u32::MAX), part: None };
        let mut message = Self { origin, ..Self::default() };
        reader.object(|reader, key| {
            if reader.kind() == Some(Kind::Null) {
                return Ok(());
            }
            if !message.member(reader, &key)? {
                let value = reader.value()?;
                if value.has_children() || !matches!(value.kind(), Kind::Array | Kind::Object) {
                    unknown.push(format!("/messages/{index}{}", super::name::top(&key.decode())).into());
                }
            }
            Ok::<_, Failure>(())
        })?;
        if matches!(message.role.as_deref(), Some("system" | "developer" | "user" | "assistant"))
            && message.name.is_some()
        {
            unknown.push(format!("/messages/{index}/name").into());
        }
        Ok(message)
    }

    /// Reads a member; false, and nothing read, if there is no such member.
    fn member(&mut self, reader: &mut Reader<'a>, key: &JsonStr<'a>) -> Result<bool, Failure> {
        match key.bytes().as_ref() {
            b"role" => self.role = text_of(reader)?,
            b"content" => part::content(reader, self.origin, &mut self.content)?,
            b"refusal" => self.refusal = text_of(reader)?,
            b"name" => self.name = text_of(reader)?,
            b"tool_call_id" => self.call = text_of(reader)?.unwrap_or_default(),
            b"tool_calls" => {
                reader.array(|reader, _| {
                    self.calls.push(tool::call(&reader.value()?, self.origin)?);
                    Ok::<_, Failure>(())
                })?;
            }
            b"function_call" => self.calls.push(tool::legacy_call(&reader.value()?, self.origin)?),
            b"reasoning_content" | b"reasoning" => {
                self.reasoning = text_of(reader)?.or_else(|| self.reasoning.take());
            }
            b"reasoning_details" | b"thinking_blocks" => {
                let thoughts: Vec<_> =
                    reader.value()?.elements().filter_map(|block| thought(&block)).collect();
                if self.thoughts.is_empty() {
                    self.thoughts = thoughts;
                }
            }
            b"cache_control" => self.cache = part::cache_mark(&reader.value()?),
            // What was said, where the answer was spoken.
            b"audio" => {
                let audio = reader.value()?;
                if let Some(said) = audio.get("transcript").and_then(|said| said.as_str()) {
                    self.content.push(Part::text(said).at(self.origin));
                }
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Its content alone.
    pub(super) fn content(mut self) -> Vec<Part<'a>> {
        if let (Some(cache), Some(last)) = (self.cache, self.content.last_mut()) {
            last.cache = last.cache.or(Some(cache));
        }
        self.content
    }

    /// All that a model has said, in the order in which it does so.
    pub(super) fn answer(mut self) -> Vec<Part<'a>> {
        let origin = self.origin;
        let reasoning = self.reasoning.take().filter(|text| self.thoughts.is_empty() && !text.is_empty());
        let plain = reasoning.map(|text| PartKind::Reasoning { text, signature: None });
        let thoughts = std::mem::take(&mut self.thoughts);
        let mut parts: Vec<_> =
            thoughts.into_iter().chain(plain).map(|kind| Part::new(kind).at(origin)).collect();
        let calls = std::mem::take(&mut self.calls);
        let refusal = self.refusal.take().filter(|text| !text.is_empty());
        // Next to calls, an empty text is how some clients say that there is none.
        let says_nothing = |part: &Part<'_>| part.as_text() == Some("") && part.origin.part.is_none();
        parts.extend(self.content().into_iter().filter(|part| calls.is_empty() || !says_nothing(part)));
        parts.extend(refusal.map(|text| Part::new(PartKind::Refusal(text)).at(origin)));
        parts.extend(calls);
        parts
    }
}

/// What the value says, if it is a string.
pub(super) fn text_of<'a>(reader: &mut Reader<'a>) -> Result<Option<Cow<'a, str>>, Failure> {
    Ok(reader.string()?.map(|text| text.decode()))
}

/// A block of reasoning. Blocks of the one kind come from one dialect only; those of the other name theirs.
fn thought<'a>(block: &Value<'a>) -> Option<PartKind<'a>> {
    let text = |key| block.get(key).and_then(|text| text.as_str());
    let from = text("format").and_then(|format| Dialect::of_name(&format));
    let signed = |from: Option<Dialect>| {
        let data = text("signature").filter(|data| !data.is_empty())?;
        Some(Signature { data, from: from? })
    };
    Some(match text("type")?.as_ref() {
        "thinking" => PartKind::Reasoning {
            text: text("thinking")?,
            signature: signed(Some(Dialect::AnthropicMessages)),
        },
        "redacted_thinking" => {
            PartKind::SealedReasoning(Signature { data: text("data")?, from: Dialect::AnthropicMessages })
        }
        "reasoning.text" => PartKind::Reasoning { text: text("text")?, signature: signed(from) },
        "reasoning.summary" => PartKind::Reasoning { text: text("summary")?, signature: signed(from) },
        "reasoning.encrypted" => match from {
            Some(from) => PartKind::SealedReasoning(Signature { data: text("data")?, from }),
            None => PartKind::Foreign("reasoning.encrypted".into()),
        },
        _ => return None,
    })
}
