//! The walk over the parts of an answer, whole or one line of a stream: both have one form.
//!
//! Reasoning comes before the text and this before the calls, whatever the order of the members.

use gatewright::text::Lane;

use super::usage;
use crate::document::{CallSite, Carrier, Outline, Part};
use crate::json::{JsonError, Kind, Reader, Reason, Span, Value};

/// Walks over an answer.
///
/// # Errors
/// The first byte at which `text` is not a JSON object.
pub(super) fn walk<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let mut reader = Reader::new(text);
    let mut outline = Outline { object: Span::new(0, 0), choices: None };
    let (mut is_done, mut reason) = (None, None);
    let is_object = reader.object(|reader, key| {
        let value = reader.value()?;
        match key.bytes().as_ref() {
            b"model" => value.json_str().into_iter().for_each(|name| visit(Part::Model { name })),
            b"message" if value.kind() == Kind::Object => {
                outline.choices = Some(true);
                message(&value, visit);
            }
            b"done" => is_done = (value.as_bool() == Some(true)).then_some(value),
            b"done_reason" => reason = value.json_str().filter(|word| !word.escaped().is_empty()),
            b"error" if !value.is_null() => visit(Part::Error { value }),
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
    visit(Part::Choice { choice: 0 });
    if let Some(done) = is_done {
        visit(Part::Finish { choice: 0, reason: reason.unwrap_or(done.source_str()) });
        // Only the figures are read of it.
        let usage = usage::read(&Value::of_checked(text));
        visit(Part::Usage { value: Value::of_checked(b"null"), usage });
    }
    Ok(outline)
}

fn message<'a>(message: &Value<'a>, visit: &mut dyn FnMut(Part<'a>)) {
    let [thinking, content, calls] = message.pick(["thinking", "content", "tool_calls"]);
    for (value, lane) in [(thinking, Lane::reasoning(0)), (content, Lane::content(0))] {
        if let Some(text) = value.and_then(|value| value.json_str()) {
            visit(Part::Text { lane, text, carrier: Carrier::Other });
        }
    }
    let calls = calls.into_iter().flat_map(|calls| calls.elements());
    for (index, call) in (0..).zip(calls) {
        let Some(function) = call.get("function") else { continue };
        let lane = Lane::tool_arguments(0, index);
        let id = call.get("id").and_then(|id| id.json_str());
        let name = function.get("name").and_then(|name| name.json_str());
        visit(Part::ToolCall { lane, id, name, site: CallSite::Element(call.span()) });
        if let Some(arguments) = function.get("arguments") {
            let text = arguments.json_str().unwrap_or_else(|| arguments.source_str());
            visit(Part::Text { lane, text, carrier: Carrier::Other });
        }
    }
}
