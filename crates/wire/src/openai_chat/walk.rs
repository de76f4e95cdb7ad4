//! The walk over the parts of an answer of the family, whole or one chunk of a stream.
//!
//! Reads each byte once unless a vendor's key order is odd. Takes every carrier of reasoning that is in use; where a
//! vendor says the same reasoning twice, the second is a mirror of the first.

use gatewright::text::Lane;

use super::usage;
use crate::document::{CallSite, Carrier, Outline, Part};
use crate::json::{JsonError, JsonStr, Kind, Reader, Span, Value};

/// [`walk`] as other dialects of the family and documents of answers take it.
pub(crate) fn whole<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    walk_over(text, Form::Whole, &mut |part| visit(part))
}

/// What is walked over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Whole,
    /// It may tell the whole text so far beside its latest piece.
    Chunk,
}

/// Walks over a chunk of a stream.
///
/// # Errors
/// The first byte at which `text` is not a JSON object.
pub(crate) fn walk<'a>(text: &'a [u8], visit: &mut impl FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    walk_over(text, Form::Chunk, visit)
}

fn walk_over<'a>(text: &'a [u8], form: Form, visit: &mut impl FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let mut reader = Reader::new(text);
    let whole = reader.clone();
    let mut outline = Outline { object: Span::new(0, 0), choices: None };
    let is_object = reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"choices" => {
                let mut count = 0;
                let is_array = reader.array(|reader, index| {
                    count += 1;
                    choice(reader, (index, form), visit)
                })?;
                outline.choices = is_array.then_some(count > 0);
            }
            b"usage" => {
                let value = reader.value()?;
                let usage = usage::read(&value)?;
                if usage.is_some() || value.is_null() {
                    visit(Part::Usage { value, usage });
                }
            }
            b"error" => {
                let value = reader.value()?;
                if !value.is_null() {
                    visit(Part::Error { value });
                }
            }
            // Some servers put the error at the top, and say so here.
            b"object" if reader.string()?.is_some_and(|object| object.is("error")) => {
                visit(Part::Error { value: whole.clone().value()? });
            }
            b"model" => {
                if let Some(name) = reader.string()? {
                    visit(Part::Model { name });
                }
            }
            _ => {}
        }
        Ok(())
    })?;
    let end = reader.place();
    reader.end()?;
    if !is_object {
        return Err(JsonError { offset: 0, reason: crate::json::Reason::ExpectedObject });
    }
    let start = text.iter().position(|&byte| byte == b'{').unwrap_or(0);
    outline.object = Span::new(start, end);
    Ok(outline)
}

/// A choice under the walk.
struct Choice<'v, 'a, V> {
    /// Before the choice, to look ahead from.
    whole: Reader<'a>,
    position: usize,
    index: Option<u32>,
    finish: Option<JsonStr<'a>>,
    /// The last piece of reasoning, which others may repeat.
    reasoning: Option<JsonStr<'a>>,
    /// The message of a chunk, which counts only if there is no delta.
    message: Option<Reader<'a>>,
    has_delta: bool,
    form: Form,
    visit: &'v mut V,
}

fn choice<'a>(
    reader: &mut Reader<'a>,
    (position, form): (usize, Form),
    visit: &mut impl FnMut(Part<'a>),
) -> Result<(), JsonError> {
    let mut choice = Choice {
        whole: reader.clone(),
        position,
        index: None,
        finish: None,
        reasoning: None,
        message: None,
        has_delta: false,
        form,
        visit,
    };
    reader.object(|reader, key| choice.member(reader, &key))?;
    choice.late_message()?;
    let index = choice.index()?;
    (choice.visit)(Part::Choice { choice: index });
    if let Some(reason) = choice.finish.filter(|reason| !reason.escaped().is_empty()) {
        (choice.visit)(Part::Finish { choice: index, reason });
    }
    Ok(())
}

impl<'a, V: FnMut(Part<'a>)> Choice<'_, 'a, V> {
    /// Its index, looked up ahead if the choice has not said it yet; its position if it never does.
    fn index(&mut self) -> Result<u32, JsonError> {
        if let Some(index) = self.index {
            return Ok(index);
        }
        let said = self.whole.clone().value()?.get("index").and_then(|index| index.as_u64());
        let position = u64::try_from(self.position).unwrap_or(u64::MAX);
        let index = u32::try_from(said.unwrap_or(position)).unwrap_or(u32::MAX);
        self.index = Some(index);
        Ok(index)
    }

    fn member(&mut self, reader: &mut Reader<'a>, key: &JsonStr<'a>) -> Result<(), JsonError> {
        match key.bytes().as_ref() {
            b"index" => {
                let index = reader.value()?.as_u64();
                self.index = self.index.or_else(|| u32::try_from(index?).ok());
            }
            b"message" if self.form == Form::Chunk => self.message = Some(reader.clone()),
            b"delta" | b"message" => {
                self.has_delta = true;
                self.index()?;
                reader.object(|reader, key| self.message_member(reader, &key))?;
            }
            b"text" => {
                let lane = Lane::content(self.index()?);
                self.text(reader, lane)?;
            }
            b"finish_reason" => self.finish = reader.string()?,
            b"logprobs" => {
                let value = reader.value()?;
                let choice = self.index()?;
                (self.visit)(Part::Logprobs { choice, value });
            }
            _ => {}
        }
        Ok(())
    }

    /// The message of a chunk: what the chunk says, or what the deltas up to here have said.
    fn late_message(&mut self) -> Result<(), JsonError> {
        let Some(mut reader) = self.message.take() else { return Ok(()) };
        if self.has_delta {
            (self.visit)(Part::SoFar { value: reader.value()? });
            return Ok(());
        }
        self.index()?;
        reader.object(|reader, key| self.message_member(reader, &key))?;
        Ok(())
    }

    fn message_member(&mut self, reader: &mut Reader<'a>, key: &JsonStr<'a>) -> Result<(), JsonError> {
        let choice = self.index()?;
        match key.bytes().as_ref() {
            b"role" if reader.string()?.is_some() => (self.visit)(Part::Start),
            b"content" => self.texts(reader, Lane::content(choice))?,
            b"refusal" => self.text(reader, Lane::refusal(choice))?,
            b"reasoning" if reader.kind() == Some(Kind::String) => {
                self.reasoning(reader, Carrier::Reasoning)?;
            }
            b"reasoning" | b"reasoning_content" | b"reasoning_details" | b"thinking" | b"thinking_blocks" => {
                self.texts(reader, Lane::reasoning(choice))?;
            }
            b"tool_calls" => {
                reader.array(|reader, position| self.tool_call(reader, position))?;
            }
            b"function_call" => {
                let body = reader.value()?;
                self.function(&body, CallSite::Member(body.span()), 0, None)?;
            }
            b"audio" => {
                reader.object(|reader, key| {
                    if key.is("transcript") { self.text(reader, Lane::content(choice)) } else { Ok(()) }
                })?;
            }
            _ => {}
        }
        Ok(())
    }

    /// A text, or a list of parts that have texts.
    fn texts(&mut self, reader: &mut Reader<'a>, lane: Lane) -> Result<(), JsonError> {
        if reader.kind() == Some(Kind::String) {
            return self.text(reader, lane);
        }
        reader.array(|reader, _| {
            if reader.kind() == Some(Kind::String) {
                return self.text(reader, lane);
            }
            reader.object(|reader, key| match key.bytes().as_ref() {
                b"text" | b"summary" => self.texts(reader, lane),
                b"refusal" => self.text(reader, Lane::refusal(lane.choice)),
                b"thinking" => self.texts(reader, Lane::reasoning(lane.choice)),
                _ => Ok(()),
            })?;
            Ok(())
        })?;
        Ok(())
    }

    fn text(&mut self, reader: &mut Reader<'a>, lane: Lane) -> Result<(), JsonError> {
        if lane == Lane::reasoning(lane.choice) {
            return self.reasoning(reader, Carrier::Other);
        }
        if let Some(text) = reader.string()? {
            (self.visit)(Part::Text { lane, text, carrier: Carrier::Other });
        }
        Ok(())
    }

    fn reasoning(&mut self, reader: &mut Reader<'a>, carrier: Carrier) -> Result<(), JsonError> {
        let Some(text) = reader.string()? else { return Ok(()) };
        let lane = Lane::reasoning(self.index()?);
        if self.reasoning.is_some_and(|said| said.decode() == text.decode()) {
            (self.visit)(Part::Mirror { lane, text });
        } else {
            self.reasoning = Some(text);
            (self.visit)(Part::Text { lane, text, carrier });
        }
        Ok(())
    }

    fn tool_call(&mut self, reader: &mut Reader<'a>, position: usize) -> Result<(), JsonError> {
        // The id and the name come before the arguments in the walk, whatever the order in the text.
        let call = reader.value()?;
        let index = call.get("index").and_then(|index| index.as_u64());
        let index =
            index.or_else(|| u64::try_from(position).ok()).and_then(|index| u32::try_from(index).ok());
        let id = call.get("id").and_then(|id| id.json_str());
        match call.get("function").or_else(|| call.get("custom")) {
            Some(body) => self.function(&body, CallSite::Element(call.span()), index.unwrap_or(u32::MAX), id),
            None => Ok(()),
        }
    }

    /// The name and the arguments of a call.
    fn function(
        &mut self,
        body: &Value<'a>,
        site: CallSite,
        index: u32,
        id: Option<JsonStr<'a>>,
    ) -> Result<(), JsonError> {
        let lane = Lane::tool_arguments(self.index()?, index);
        let name = body.get("name").and_then(|name| name.json_str());
        (self.visit)(Part::ToolCall { lane, id, name, site });
        for member in body.members().filter(|member| member.key.is("arguments") || member.key.is("input")) {
            // Some servers send the object itself in place of its text.
            let object = Some(member.value).filter(|value| value.kind() == Kind::Object);
            let text = member.value.json_str().or_else(|| object.map(|object| object.source_str()));
            if let Some(text) = text {
                (self.visit)(Part::Text { lane, text, carrier: Carrier::Other });
            }
        }
        Ok(())
    }
}
