//! The walk over the parts of a whole answer.

use gatewright::text::Lane;

use super::usage;
use crate::document::{CallSite, Carrier, Outline, Part};
use crate::json::{JsonError, Reader, Reason, Span, Value};

type Visit<'v, 'a> = &'v mut dyn FnMut(Part<'a>);

/// Walks over an answer.
///
/// # Errors
/// The first byte at which `text` is not a JSON object.
pub(super) fn whole<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let mut reader = Reader::new(text);
    let mut has_message = None;
    let is_object = reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"output" => {
                reader.object(|reader, key| {
                    if key.is("message") {
                        has_message = Some(true);
                        message(reader, visit)?;
                    }
                    Ok::<_, JsonError>(())
                })?;
            }
            b"stopReason" => {
                if let Some(reason) = reader.string()? {
                    visit(Part::Finish { choice: 0, reason });
                }
            }
            b"usage" => {
                let value = reader.value()?;
                visit(Part::Usage { value, usage: usage::read(&value) });
            }
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    let end = reader.place();
    reader.end()?;
    if !is_object {
        return Err(JsonError { offset: 0, reason: Reason::ExpectedObject });
    }
    let start = text.iter().position(|&byte| byte == b'{').unwrap_or(0);
    Ok(Outline { object: Span::new(start, end), choices: has_message })
}

fn message<'a>(reader: &mut Reader<'a>, visit: Visit<'_, 'a>) -> Result<(), JsonError> {
    let mut calls = 0;
    reader.object(|reader, key| {
        if key.is("content") {
            reader.array(|reader, _| block(&reader.value()?, &mut calls, visit))?;
        }
        Ok::<_, JsonError>(())
    })?;
    visit(Part::Choice { choice: 0 });
    Ok(())
}

fn block<'a>(block: &Value<'a>, calls: &mut u32, visit: Visit<'_, 'a>) -> Result<(), JsonError> {
    let mut text = |value: Option<Value<'a>>, lane| {
        if let Some(text) = value.and_then(|value| value.json_str()) {
            visit(Part::Text { lane, text, carrier: Carrier::Other });
        }
    };
    for member in block.members() {
        match member.key.bytes().as_ref() {
            b"text" => text(Some(member.value), Lane::content(0)),
            b"reasoningContent" => text(member.value.at(&["reasoningText", "text"]), Lane::reasoning(0)),
            b"citationsContent" => {
                let content = member.value.get("content");
                let parts = content.into_iter().flat_map(|content| content.elements());
                parts.for_each(|part| text(part.get("text"), Lane::content(0)));
            }
            b"toolUse" => {
                let lane = Lane::tool_arguments(0, *calls);
                *calls = calls.saturating_add(1);
                let string = |key: &str| member.value.get(key).and_then(|value| value.json_str());
                let (id, name) = (string("toolUseId"), string("name"));
                visit(Part::ToolCall { lane, id, name, site: CallSite::Element(block.span()) });
                if let Some(input) = member.value.get("input") {
                    visit(Part::Text { lane, text: input.source_str(), carrier: Carrier::Other });
                }
                return Ok(());
            }
            _ => {}
        }
    }
    Ok(())
}
