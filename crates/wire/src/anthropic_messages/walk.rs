//! The walk over the parts of a whole answer.

use gatewright::Usage;
use gatewright::text::Lane;

use super::{name, usage};
use crate::document::{CallSite, Carrier, Outline, Part};
use crate::json::{JsonError, JsonStr, Kind, Reader, Reason, Span, Value};

/// Walks over an answer.
///
/// # Errors
/// The first byte at which `text` is not a JSON object.
pub(super) fn whole<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let mut reader = Reader::new(text);
    let mut outline = Outline { object: Span::new(0, 0), choices: None };
    let mut calls = 0;
    let is_object = reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"content" => {
                let mut has_any = false;
                let is_array = reader.array(|reader, _| {
                    has_any = true;
                    block(&reader.value()?, &mut calls, visit);
                    Ok::<_, JsonError>(())
                })?;
                outline.choices = is_array.then_some(has_any);
            }
            b"usage" => {
                let value = reader.value()?;
                visit(Part::Usage { value, usage: usage::read(&value) });
            }
            b"model" => reader.string()?.into_iter().for_each(|name| visit(Part::Model { name })),
            b"stop_reason" => {
                let reason = reader.string()?;
                reason.into_iter().for_each(|reason| visit(Part::Finish { choice: 0, reason }));
            }
            b"error" => {
                let value = reader.value()?;
                if !value.is_null() {
                    visit(Part::Error { value });
                }
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
    outline.object = Span::new(start, end);
    Ok(outline)
}

/// Walks over a count. It is an answer that has consumed nothing.
///
/// # Errors
/// As [`whole`].
pub(super) fn count<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let mut count = None;
    let outline = whole(text, &mut |part| {
        if let Part::Error { .. } = part {
            visit(part);
        }
    })?;
    for member in Value::of_checked(text).members().filter(|member| member.key.is("input_tokens")) {
        count = member.value.as_u64().or(count);
        visit(Part::Usage { value: member.value, usage: Some(Usage::default()) });
    }
    Ok(Outline { choices: count.map(|_| true), ..outline })
}

fn block<'a>(block: &Value<'a>, calls: &mut u32, visit: &mut dyn FnMut(Part<'a>)) {
    let [kind, text, thinking, id, tool, input] =
        block.pick(["type", "text", "thinking", "id", "name", "input"]);
    let kind = kind.and_then(|kind| kind.as_str());
    let string = |value: Option<Value<'a>>| value.and_then(|value| value.json_str());
    let mut give = |lane, text| visit(Part::Text { lane, text, carrier: Carrier::Other });
    match kind.as_deref() {
        Some("text") => string(text).into_iter().for_each(|text| give(Lane::content(0), text)),
        Some("thinking") => string(thinking).into_iter().for_each(|text| give(Lane::reasoning(0), text)),
        // The answer in a form that we have asked for by a tool.
        Some("tool_use") if string(tool).is_some_and(|tool| tool.is(name::FORM)) => {
            source(input).into_iter().for_each(|text| give(Lane::content(0), text));
        }
        Some("tool_use") => {
            let lane = Lane::tool_arguments(0, *calls);
            *calls = calls.saturating_add(1);
            let (id, name) = (string(id), string(tool));
            visit(Part::ToolCall { lane, id, name, site: CallSite::Element(block.span()) });
            let text = source(input);
            text.into_iter().for_each(|text| visit(Part::Text { lane, text, carrier: Carrier::Other }));
        }
        _ => {}
    }
}

fn source<'a>(input: Option<Value<'a>>) -> Option<JsonStr<'a>> {
    input.filter(|input| input.kind() == Kind::Object).map(|input| input.source_str())
}
